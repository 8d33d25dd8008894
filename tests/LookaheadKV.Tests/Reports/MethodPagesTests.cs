using System.Runtime.CompilerServices;
using LookaheadKV.Methods;
using LookaheadKV.Reports;
using Xunit;

namespace LookaheadKV.Tests.Reports;

/// <summary>What documents say of methods is what the catalogue says.</summary>
public class MethodPagesTests
{
    private const string Rewrite = "the catalogue has changed; rewrite it by: dotnet fsi build/methods.fsx";

    [Fact]
    public void The_readmes_table_is_the_catalogues()
    {
        var readme = Read("README.md");
        Assert.True(MethodPages.inReadme(readme) == readme, $"README.md: {Rewrite}");
    }

    [Fact]
    public void The_page_of_methods_is_the_catalogues() =>
        Assert.True(MethodPages.document() == Read("docs", "methods.md"), $"docs/methods.md: {Rewrite}");

    [Fact]
    public void The_page_tells_everything_of_every_method()
    {
        var page = MethodPages.document();
        Assert.All(Catalogue.Methods, method => Assert.Contains($"## {method.Name}\n\nKeeps {method.Keeps}.\n", page));
        Assert.All(Catalogue.Methods, method => Assert.Contains(method.Paper?.Title ?? "", page));
        Assert.All(Modifier.All, modifier => Assert.Contains($"| `{modifier.Name}` | {modifier.Allowed} |", page));
        Assert.All(
            Catalogue.Methods.SelectMany(method => method.Parameters),
            parameter =>
                Assert.Contains($"`{parameter.Name}`: {parameter.Help}; {parameter.Allowed} (default {parameter.DefaultText}).", page)
        );
        Assert.Contains("Needs all layers, a replay of the prompt.\n* Costs 2 prefills.\n* Defaults: `group=max`, `layers=global`.", page);
    }

    private static string Read(params string[] path) =>
        File.ReadAllText(Path.Combine([Path.GetDirectoryName(Here())!, "..", "..", "..", .. path])).ReplaceLineEndings("\n");

    private static string Here([CallerFilePath] string path = "") => path;
}
