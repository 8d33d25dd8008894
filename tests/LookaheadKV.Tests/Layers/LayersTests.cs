using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using NetArchTest.Rules;
using Xunit;

namespace LookaheadKV.Tests.Layers;

/// <summary>Every folder uses only what stands above it in the list of docs/architecture.md, and so does every package.</summary>
public partial class LayersTests
{
    /// <summary>The folders of each package, each using only those before it.</summary>
    private static readonly Dictionary<string, string[]> Folders = new()
    {
        ["LookaheadKV"] =
        [
            "",
            "Files",
            "Runtime",
            "Jinja",
            "Checkpoints",
            "Text",
            "Attention",
            "Models",
            "Cache",
            "Passes",
            "Scoring",
            "Budgeting",
            "Eviction",
            "Lookahead",
            "Generation",
            "Methods",
            "Training",
        ],
        ["LookaheadKV.Evaluation"] = ["Metrics", "Tasks", "Samples", "LongBench", "LongProc", "Ruler", "", "Speed", "Studies"],
    };

    public static TheoryData<string> Layered => [.. Folders.Keys];

    [Theory]
    [MemberData(nameof(Layered))]
    public void A_folder_depends_on_none_that_stands_below_it(string package)
    {
        var order = Folders[package];
        var assembly = Packages.InOrder.Single(assembly => Packages.NameOf(assembly) == package);
        var types = assembly.GetTypes().ToLookup(type => FolderOf(package, type));
        var wrong =
            from rank in Enumerable.Range(0, order.Length - 1)
            // By their types where the folder is the package's own, whose name begins the names of all others.
            let below = order[(rank + 1)..]
                .SelectMany(folder => folder.Length > 0 ? [$"{package}.{folder}"] : types[""].Select(type => type.FullName!))
                .ToArray()
            from type in Types.InAssembly(assembly).ShouldNot().HaveDependencyOnAny(below).GetResult().FailingTypes ?? []
            where FolderOf(package, type) == order[rank]
            select $"{type.FullName} uses what stands below {order[rank]}";
        Assert.Empty(wrong);
    }

    // What a compiler inlines (constants, nameof) is in no assembly's tables.
    [Theory]
    [MemberData(nameof(Layered))]
    public void A_file_imports_no_folder_that_stands_below_it(string package)
    {
        var order = Folders[package];
        var wrong =
            from file in Sources(package)
            let folder = FolderOf(
                package,
                Path.GetDirectoryName(Path.GetRelativePath(Source(package), file))!.Replace('\\', '.').Replace('/', '.')
            )
            from Match import in Import().Matches(File.ReadAllText(file))
            let target = import.Groups["space"].Value
            from other in order
            where IsOf(target, Namespace(package, other), order, package)
            where Array.IndexOf(order, other) > Array.IndexOf(order, folder)
            select $"{Path.GetRelativePath(Source(package), file)} imports {target}";
        Assert.Empty(wrong);
    }

    [Theory]
    [MemberData(nameof(Layered))]
    public void Every_folder_has_a_place_in_the_order(string package)
    {
        var folders = Sources(package)
            .Select(file => Path.GetDirectoryName(Path.GetRelativePath(Source(package), file))!.Split('/', '\\')[0])
            .Distinct()
            .Order();
        Assert.Equal(Folders[package].Order(), folders);
    }

    [Fact]
    public void A_package_refers_to_none_that_stands_below_it()
    {
        foreach (var (rank, package) in Packages.InOrder.Index())
            Assert.Empty(
                package
                    .GetReferencedAssemblies()
                    .Select(other => other.Name!)
                    .Intersect(Packages.InOrder.Skip(rank).Select(Packages.NameOf))
            );
    }

    /// <summary>A file is one concept: a longer one says at its head why it is one. Notebooks are read from top to bottom, and are no part of this.</summary>
    [Fact]
    public void A_file_of_more_than_400_lines_says_why()
    {
        var root = Path.Combine(Source("LookaheadKV"), "..", "..");
        var wrong =
            from folder in (string[])["src", "tests", "build"]
            from file in Directory.EnumerateFiles(Path.Combine(root, folder), "*", SearchOption.AllDirectories)
            where Path.GetExtension(file) is ".cs" or ".fs" or ".fsx" && !file.Contains("StrykerOutput", StringComparison.Ordinal)
            let lines = File.ReadAllLines(file)
            where lines.Length > 400 && !lines.Take(5).Any(line => line.Contains("One file, because", StringComparison.Ordinal))
            select $"{Path.GetRelativePath(root, file)}: {lines.Length} lines";
        Assert.Empty(wrong);
    }

    private static string Namespace(string package, string folder) => folder.Length == 0 ? package : $"{package}.{folder}";

    private static string FolderOf(string package, Type type) =>
        type.Namespace?.StartsWith(package, StringComparison.Ordinal) == true
            ? FolderOf(package, type.Namespace[package.Length..].TrimStart('.'))
            : "?";

    private static string FolderOf(string package, string path) => path.Split('.')[0];

    private static bool IsOf(string target, string space, string[] order, string package) =>
        target == space || (space != package && target.StartsWith(space + ".", StringComparison.Ordinal));

    private static IEnumerable<string> Sources(string package) =>
        Directory.EnumerateFiles(Source(package), "*.cs", SearchOption.AllDirectories);

    private static string Source(string package) => Path.Combine(Path.GetDirectoryName(Here())!, "..", "..", "..", "src", package);

    private static string Here([CallerFilePath] string path = "") => path;

    [GeneratedRegex(@"^\s*(?:global )?using (?:static )?(?:\w+ = )?(?<space>LookaheadKV[\w.]*)", RegexOptions.Multiline)]
    private static partial Regex Import();
}
