using System.Runtime.CompilerServices;
using LookaheadKV.Runtime;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Runtime;

/// <summary>Times of a model's work come from the one clock that waits for the device (CudaTests have its law on a GPU).</summary>
public class DeviceClockTests
{
    // Minutes of a training, seconds of a run: no time of a single pass, and each step of theirs ends with a number on the host.
    private static readonly string[] Others =
    [
        "DeviceClock.cs",
        "LookaheadTrainer.cs",
        "Pretrainer.cs",
        "PrefillEviction.cs", // the host's share, told on the CPU alone
        "GenerateCommand.cs",
        "AblateCommand.cs",
        "CompareCommand.cs", // how often its file is written
        "Screen.cs",
    ];

    [Fact]
    public void No_other_clock_times_a_model()
    {
        var source = Path.Combine(Path.GetDirectoryName(Here())!, "..", "..", "..", "src");
        var clocks =
            from path in Directory.EnumerateFiles(source, "*.*s", SearchOption.AllDirectories)
            where path.EndsWith(".cs", StringComparison.Ordinal) || path.EndsWith(".fs", StringComparison.Ordinal)
            where File.ReadAllText(path).Contains("Stopwatch", StringComparison.Ordinal)
            select Path.GetFileName(path);
        Assert.Equal(Others.Order(), clocks.Order());
    }

    [Fact]
    public void Work_takes_as_long_as_it_takes()
    {
        var (value, elapsed) = DeviceClock.Time(CPU, () => SleptFor(20));
        Assert.True(elapsed >= value, $"{elapsed} of {value}");
        var clock = DeviceClock.Start(CPU);
        var first = clock.Elapsed;
        Assert.True(clock.Elapsed >= first);
    }

    private static TimeSpan SleptFor(int milliseconds)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        Thread.Sleep(milliseconds);
        return clock.Elapsed;
    }

    private static string Here([CallerFilePath] string path = "") => path;
}
