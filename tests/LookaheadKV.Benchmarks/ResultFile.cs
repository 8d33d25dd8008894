using System.Text.Json;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Reports;
using LookaheadKV.Evaluation;
using Perfolizer.Mathematics.Common;

namespace LookaheadKV.Benchmarks;

/// <summary>The times of a class as JSON: what was run, on what, and a row a step and length. docs/results/micro holds such files.</summary>
internal sealed class ResultFile(string[] args) : ExporterBase
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    protected override string FileExtension => "json";

    public override void ExportToLog(Summary summary, ILogger logger)
    {
        var command = $"dotnet run -c Release --project tests/LookaheadKV.Benchmarks -- {string.Join(' ', args.Select(Quoted))}";
        var device = $"cpu ({StepBenchmark.Threads} thread, {summary.HostEnvironmentInfo.Cpu.Value?.ProcessorName})";
        var file = new
        {
            Run = RunInfo.Of(command, seed: 1, device, "float32", Layer.ShapeName),
            Rows = summary.Reports.Where(report => report.ResultStatistics is not null).Select(Row),
        };
        logger.WriteLine(JsonSerializer.Serialize(file, Options));
    }

    // As a shell needs it.
    private static string Quoted(string argument) => argument.Contains('*') ? $"'{argument}'" : argument;

    private static object Row(BenchmarkReport report)
    {
        var (name, statistics) = (report.BenchmarkCase.Descriptor.WorkloadMethodDisplayInfo, report.ResultStatistics!);
        var interval = statistics.GetConfidenceInterval(ConfidenceLevel.L95);
        return new
        {
            Step = name.Trim('\''),
            Length = report.BenchmarkCase.Parameters[nameof(StepBenchmark.N)],
            Runs = statistics.N,
            MeanNs = statistics.Mean,
            LowNs = interval.Lower,
            HighNs = interval.Upper,
            MedianNs = statistics.Median,
            MinNs = statistics.Min,
            AllocatedBytes = report.GcStats.GetBytesAllocatedPerOperation(report.BenchmarkCase),
        };
    }
}
