using System.Runtime.CompilerServices;
using Xunit;

namespace LookaheadKV.Tests.Docs;

/// <summary>The worked example of docs/add-a-method.md is the code that is compiled and run here.</summary>
public class AddAMethodTests
{
    [Theory]
    [InlineData("ValueAware.cs")]
    [InlineData("ValueAwareTests.cs")]
    public void The_document_shows_the_file(string name)
    {
        var folder = Path.GetDirectoryName(Here())!;
        var code = File.ReadAllText(Path.Combine(folder, name)).ReplaceLineEndings("\n");
        var document = File.ReadAllText(Path.Combine(folder, "..", "..", "..", "docs", "add-a-method.md")).ReplaceLineEndings("\n");
        Assert.Contains($"```csharp\n{code}```", document);
        Assert.True(code.Count(c => c == '\n') <= 60, $"{name} is longer than 60 lines");
    }

    private static string Here([CallerFilePath] string path = "") => path;
}
