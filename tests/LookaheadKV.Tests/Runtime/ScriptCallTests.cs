using LookaheadKV.Runtime;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Runtime;

/// <summary>Numbers reach a compiled function unharmed, whatever the garbage collector does meanwhile.</summary>
[Collection(nameof(ScriptProgramTests.Alone))] // a storm of collections would meet other tests in native calls
public class ScriptCallTests
{
    [Fact]
    public async Task Numbers_survive_garbage_collection()
    {
        using var unit = jit.compile(
            "def add(x: Tensor, a: float, n: int, minus: bool) -> Tensor:\n    return x - a * n if minus else x + a * n\n"
        );
        using var x = zeros(1);
        using var stop = new CancellationTokenSource();
        var collector = Task.Run(
            () =>
            {
                while (!stop.IsCancellationRequested)
                {
                    GC.Collect();
                    GC.WaitForPendingFinalizers();
                }
            },
            TestContext.Current.CancellationToken
        );
        for (var i = 0; i < 2000; i++)
        {
            using var sum = ScriptCall.Invoke(unit, "add", x, 0.5, i, i % 2 == 0);
            Assert.Equal(i % 2 == 0 ? -0.5f * i : 0.5f * i, sum.item<float>());
        }
        await stop.CancelAsync();
        await collector;
    }
}
