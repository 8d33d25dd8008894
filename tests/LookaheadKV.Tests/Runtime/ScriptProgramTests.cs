using LookaheadKV.Runtime;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Runtime;

/// <summary>Which executor a function gets is a process-wide flag at its first call: no first call sees the flag that another one has set.</summary>
[Collection(nameof(Alone))]
public class ScriptProgramTests
{
    /// <summary>Other tests' first calls would set the flag too.</summary>
    [CollectionDefinition(nameof(Alone), DisableParallelization = true)]
    public class Alone;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task First_calls_wait_for_each_other(bool fuse)
    {
        using var slow = new ScriptProgram(
            "def f(x: Tensor, n: int) -> Tensor:\n    for i in range(n):\n        x = x + 1\n    return x\n",
            fuse: false
        );
        using var quick = new ScriptProgram("def g(x: Tensor) -> Tensor:\n    return x + 1\n", fuse);
        using var x = zeros(1);
        using var first = new ManualResetEventSlim();
        var calling = Task.Run(
            () =>
            {
                first.Set();
                using var sum = slow.Invoke("f", x, 300_000); // most of a second
                return ScriptProgram.IsProfiling;
            },
            TestContext.Current.CancellationToken
        );
        first.Wait(TestContext.Current.CancellationToken);
        SpinWait.SpinUntil(() => !ScriptProgram.IsProfiling || calling.IsCompleted);
        quick.Invoke("g", x).Dispose();
        Assert.True(ScriptProgram.IsProfiling, "the flag of a first call was still set when another one had been made");
        await calling;
    }
}
