using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Xunit;

namespace LookaheadKV.Tests.Layers;

/// <summary>A test stands where its subject stands: <c>Cache/DenseLayer.cs</c> is tested in <c>Cache/DenseLayerTests.cs</c>.</summary>
public sealed partial class MirrorTests
{
    // Where each package's folders stand among the tests.
    private static readonly (string Package, string Tests)[] Packages =
    [
        ("LookaheadKV", ""),
        ("LookaheadKV.Evaluation", "Evaluation"),
        ("LookaheadKV.Pretraining", "Pretraining"),
    ];

    /// <summary>The list of subjects that are tested elsewhere only (in laws, or by those who use them) may shrink, never grow.</summary>
    [Fact]
    public void A_file_with_behaviour_has_its_tests_where_it_stands()
    {
        string[] listed = [.. File.ReadLines(Beside("subjects-without-mirror.txt"))];
        string[] without = [.. Packages.SelectMany(WithoutMirror).Order(StringComparer.Ordinal)];
        Assert.Empty(without.Except(listed));
        Assert.Empty(listed.Except(without)); // those that have theirs now are taken off the list
        Assert.Equal(listed.Order(StringComparer.Ordinal), listed);
    }

    [Theory]
    [InlineData("public interface IThing\n{\n    // A() => 1\n    Tensor Score(int layer);\n}", false)]
    [InlineData("public enum Kind\n{\n    One,\n}", false)]
    [InlineData("public sealed record Point(int X, IReadOnlyList<int> Y);", false)]
    [InlineData("public sealed record Options\n{\n    public int Seed { get; init; } = 1;\n    public string Name => \"x\";\n}", false)]
    [InlineData("public sealed record Point(int X, (int, int) Y) : IPoint\n{\n    public int Z { get; init; } = 1;\n}", false)]
    [InlineData("public sealed record Point(int X)\n{\n    public int Twice(int y) => y * X;\n}", true)]
    [InlineData("static int Twice(int x) => 2 * x;", true)]
    [InlineData("static int Twice(int x)\n{\n    return 2 * x;\n}", true)]
    [InlineData("static T Same<T>(T x)\n    where T : class\n{\n    return x;\n}", true)]
    public void Behaviour_is_a_body_behind_parameters(string source, bool behaves) => Assert.Equal(behaves, Behaves(source));

    private static IEnumerable<string> WithoutMirror((string Package, string Tests) package)
    {
        var root = Beside(Path.Combine("..", "..", "..", "src", package.Package));
        return from file in Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
            let subject = Path.Combine(package.Tests, Path.GetRelativePath(root, file)[..^".cs".Length])
            where Behaves(File.ReadAllText(file)) && !File.Exists(Beside(Path.Combine("..", $"{subject}Tests.cs")))
            select subject.Replace('\\', '/');
    }

    private static bool Behaves(string source) => Body().IsMatch(TypeHead().Replace(Comment().Replace(source, ""), "{"));

    private static string Beside(string name) => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(Here())!, name));

    private static string Here([CallerFilePath] string path = "") => path;

    [GeneratedRegex(@"\)\s*(?:where[^{;]*)?(?:=>|\{)")]
    private static partial Regex Body();

    // A record's own parameters are not a method's.
    [GeneratedRegex(@"\b(?:class|struct|record)\s+\w+(?:<[^>]*>)?\s*\((?:[^()]|\([^()]*\))*\)[^;={]*\{")]
    private static partial Regex TypeHead();

    [GeneratedRegex("//.*")]
    private static partial Regex Comment();
}
