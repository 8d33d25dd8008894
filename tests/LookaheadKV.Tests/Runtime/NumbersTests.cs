using LookaheadKV.Runtime;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Runtime;

/// <summary>Numbers reach TorchSharp's operators unharmed, whatever the garbage collector does meanwhile: written as <c>a + b</c>, some of these fail within seconds.</summary>
[Collection(nameof(ScriptProgramTests.Alone))] // a storm of collections would meet other tests in native calls
public class NumbersTests
{
    [Fact]
    public async Task Operators_see_their_numbers_while_garbage_is_collected()
    {
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
        for (var i = 1; i <= 2000; i++)
        {
            using var scope = NewDisposeScope();
            var x = full(3, i, ScalarType.Float32);
            Assert.Equal(2f * i, x.Plus(x)[1].ReadCpuSingle(0));
            Assert.Equal(0.5f * i, x.Times(0.5)[1].ReadCpuSingle(0));
            Assert.Equal(0.25f * i, x.Scale(0.25)[1].ReadCpuSingle(0));
            Assert.Equal(0.5f * i, x.Accumulate(x.clone())[1].ReadCpuSingle(0));
            Assert.Equal(float.NegativeInfinity, x.Hide(ones(3, ScalarType.Bool))[1].ReadCpuSingle(0));
        }
        await stop.CancelAsync();
        await collector;
    }
}
