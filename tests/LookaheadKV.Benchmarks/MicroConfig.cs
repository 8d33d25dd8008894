using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using Perfolizer.Horology;

namespace LookaheadKV.Benchmarks;

/// <summary>How long a step is measured, each length in a process of its own; what is written goes to artifacts/benchmarks.</summary>
internal sealed class MicroConfig : ManualConfig
{
    public MicroConfig(string[] args)
    {
        AddJob(Job.Default.WithWarmupCount(3).WithIterationCount(15).WithIterationTime(TimeInterval.FromMilliseconds(100)));
        AddDiagnoser(MemoryDiagnoser.Default);
        AddColumnProvider(DefaultColumnProviders.Instance);
        AddLogger(ConsoleLogger.Default);
        AddExporter(new ResultFile(args));
        // Beside artifacts/bin/PROJECT/release, wherever it was started.
        ArtifactsPath = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../benchmarks"));
    }
}
