using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using LookaheadKV.Tests.Layers;
using Xunit;

namespace LookaheadKV.Tests.Docs;

/// <summary>What the documents write as <c>`Type.Member`</c> is there.</summary>
public partial class MembersTests
{
    private const BindingFlags Any =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.FlattenHierarchy;

    // Folders and files that documents name in the same way.
    private static readonly string[] Files = ["md", "cs", "fs", "fsx", "json", "jsonl", "sln", "csproj", "props", "ipynb", "dll", "txt"];

    // Packages that documents speak of: another's, and ours.
    private static readonly string[] PackageNames =
    [
        "Tokenizers.DotNet",
        .. Directory.EnumerateDirectories(Path.Combine(Root, "src")).Select(folder => Path.GetFileName(folder)),
    ];

    [Fact]
    public void Every_member_that_a_document_names_is_there()
    {
        var types = Assemblies().SelectMany(assembly => assembly.GetTypes()).ToLookup(type => type.Name.Split('`')[0]);
        var missing =
            from path in Documents()
            from Match match in Member().Matches(WithoutBlocks(File.ReadAllText(path)))
            let name = match.Groups["type"].Value
            let member = match.Groups["member"].Value
            where !Files.Contains(member) && !PackageNames.Contains($"{name}.{member}")
            // A type of another library is none of ours; of TorchSharp's and .NET's, none share a name with these.
            where !types[name].Any(type => Has(type, member))
            select $"{Path.GetFileName(path)}: {match.Value}";
        Assert.Empty(missing);
    }

    [Theory]
    [InlineData("see `Session.Generate` and `LoraPair.Delta(x)`", 2)]
    [InlineData("`KeyValueCache.Stack`", 1)]
    [InlineData("`lookahead compare`, `docs/x.md`, `a.b`, `0.1.0`, `FILE.partial`", 0)]
    public void Members_are_found_in_text(string text, int count) => Assert.Equal(count, Member().Count(text));

    private static bool Has(Type type, string member) =>
        type.GetMember(member, Any).Length > 0 || type.GetNestedType(member, Any) is not null;

    private static IEnumerable<Assembly> Assemblies() => [typeof(object).Assembly, typeof(TorchSharp.torch).Assembly, .. Packages.InOrder];

    private static IEnumerable<string> Documents() =>
        Directory.EnumerateFiles(Path.Combine(Root, "docs"), "*.md", SearchOption.AllDirectories).Append(Path.Combine(Root, "README.md"));

    private static string WithoutBlocks(string text) => Block().Replace(text, "");

    // A name in capitals stands for one of the reader's: FILE.partial, MODEL.gguf.
    [GeneratedRegex(@"`(?![A-Z]+\.)(?<type>[A-Z]\w+)\.(?<member>[A-Za-z]\w*)(\([^`]*\))?`")]
    private static partial Regex Member();

    [GeneratedRegex("```.*?```", RegexOptions.Singleline)]
    private static partial Regex Block();

    private static string Root => Path.Combine(Path.GetDirectoryName(Here())!, "..", "..", "..");

    private static string Here([CallerFilePath] string path = "") => path;
}
