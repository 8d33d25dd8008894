using BenchmarkDotNet.Attributes;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Benchmarks;

/// <summary>Steps against N, the prompt's length.</summary>
public abstract class StepBenchmark
{
    /// <summary>One: what a step costs, not how well it is divided.</summary>
    public const int Threads = 1;

    [ParamsSource(nameof(Lengths))]
    public int N { get; set; }

    /// <summary>Lengths that the steps of a class can afford: 1K, 2K, … 128K unless it says otherwise.</summary>
    public virtual IEnumerable<int> Lengths => Doubling(131_072);

    [GlobalSetup]
    public void Setup()
    {
        NativeLibraries.Load(); // before torch looks for them itself
        set_num_threads(Threads);
        set_grad_enabled(false);
        random.manual_seed(1);
        Prepare();
    }

    /// <summary>Makes what the steps read.</summary>
    protected abstract void Prepare();

    protected static IEnumerable<int> Doubling(int longest)
    {
        for (var length = 1024; length <= longest; length *= 2)
            yield return length;
    }
}
