using BenchmarkDotNet.Running;
using LookaheadKV.Benchmarks;

// dotnet run -c Release --project tests/LookaheadKV.Benchmarks -- --filter '*'
BenchmarkSwitcher.FromAssembly(typeof(StepBenchmark).Assembly).Run(args, new MicroConfig(args));
