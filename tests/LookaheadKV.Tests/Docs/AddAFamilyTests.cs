using System.Runtime.CompilerServices;
using Xunit;

namespace LookaheadKV.Tests.Docs;

/// <summary>The exercise of docs/add-a-family.md is the family that is compiled, and the line it shows stands in the layer.</summary>
public class AddAFamilyTests
{
    [Fact]
    public void The_document_shows_the_family() =>
        Assert.Contains($"```csharp\n{Read("src/LookaheadKV/Models/Families/Olmo2.cs")}```", Document);

    [Theory]
    [InlineData("if {{form.Norms.HasFlag(BlockNorms.After)}}:")]
    [InlineData("return add(x, norm(mapped(y, w, pairs, i, n, threads), out, eps))")]
    [InlineData("return add_mapped(x, y, w, pairs, i, n, threads)")]
    public void The_lines_that_it_took_stand_in_the_layer_once(string line)
    {
        Assert.Contains(line, Document);
        Assert.Equal(2, Read("src/LookaheadKV/Models/DecoderLayer.cs").Split(line).Length);
    }

    private static string Document => Read("docs/add-a-family.md");

    private static string Read(string path) => File.ReadAllText(Path.Combine(Root(), path)).ReplaceLineEndings("\n");

    private static string Root([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "..");
}
