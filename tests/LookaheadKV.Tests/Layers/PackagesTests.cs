using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Xunit;

namespace LookaheadKV.Tests.Layers;

/// <summary>What an assembly refers to, and what that refers to: a user of the science gets neither figures nor a database.</summary>
public class PackagesTests
{
    private static readonly string[] Figures = ["FSharp.Core", "Plotly.NET"];
    private static readonly string[] Queries = ["DuckDB.NET.Bindings", "DuckDB.NET.Data"];
    private static readonly string[] Screens = ["System.CommandLine", "Spectre.Console"];

    public static TheoryData<string, string[]> Walls =>
        new()
        {
            { "LookaheadKV", ["MathNet.Numerics", .. Figures, .. Queries, .. Screens] },
            { "LookaheadKV.Evaluation", [.. Figures, .. Queries, .. Screens] },
            { "LookaheadKV.Pretraining", [.. Figures, .. Queries, .. Screens] },
            { "LookaheadKV.FSharp", [.. Queries, .. Screens] },
            { "LookaheadKV.Reports", Screens },
        };

    [Theory]
    [MemberData(nameof(Walls))]
    public void An_assembly_reaches_nothing_behind_its_wall(string assembly, string[] behind) =>
        Assert.Empty(Reached(assembly).Intersect(behind));

    [Fact]
    public void The_command_reaches_everything()
    {
        var all = Reached("lookahead");
        Assert.All(["MathNet.Numerics", .. Figures, .. Queries, .. Screens, "TorchSharp"], name => Assert.Contains(name, all));
    }

    private static HashSet<string> Reached(string assembly)
    {
        HashSet<string> found = [];
        Queue<string> open = new([assembly]);
        while (open.TryDequeue(out var next))
            if (found.Add(next))
                foreach (var other in References(next))
                    open.Enqueue(other);
        return found;
    }

    /// <summary>Names of what an assembly refers to; none of .NET's own, which do not stand here.</summary>
    private static IReadOnlyList<string> References(string assembly)
    {
        var file = Path.Combine(AppContext.BaseDirectory, $"{assembly}.dll");
        if (!File.Exists(file))
            return [];
        using var reader = new PEReader(File.OpenRead(file));
        var metadata = reader.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(reference => metadata.GetString(metadata.GetAssemblyReference(reference).Name))];
    }
}
