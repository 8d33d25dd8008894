using System.Reflection;
using LookaheadKV.Evaluation;
using LookaheadKV.Models;
using LookaheadKV.Pretraining;

namespace LookaheadKV.Tests.Layers;

/// <summary>The packages of this project, each using only those before it.</summary>
internal static class Packages
{
    public static IReadOnlyList<Assembly> InOrder { get; } =
    [
        typeof(Decoder).Assembly,
        typeof(RunInfo).Assembly,
        typeof(NanoRecipe).Assembly,
        typeof(LookaheadKV.FSharp.Policy).Assembly,
        typeof(LookaheadKV.Reports.Report).Assembly,
        typeof(LookaheadKV.Cli.EntryPoint).Assembly,
    ];

    public static string NameOf(Assembly package) => package.GetName().Name!;
}
