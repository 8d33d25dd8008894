using System.IO.Compression;
using System.Runtime.CompilerServices;
using System.Text.Json;
using LookaheadKV.Jinja;
using Xunit;

namespace LookaheadKV.Tests.Jinja;

/// <summary>Some thousands of random templates, and what jinja2 makes of them (<c>tests/golden/make_templates.py</c>).</summary>
public sealed class RandomTemplateTests
{
    [Fact]
    public void RandomTemplatesRenderAsInJinja2()
    {
        using var packed = new GZipStream(File.OpenRead(Golden("templates.json.gz")), CompressionMode.Decompress);
        using var golden = JsonDocument.Parse(packed);
        var contexts = golden.RootElement.GetProperty("contexts").EnumerateArray().ToArray();
        var (compared, unsupported, wrong) = (0, 0, new List<string>());
        foreach (var row in golden.RootElement.GetProperty("cases").EnumerateArray())
        {
            var (source, wanted, raised) = (row[0].GetString()!, row[2].GetString(), row[3].GetString());
            var (output, error) = Rendered(source, contexts[row[1].GetInt32()]);
            compared++;
            // What is left out is said to be; nothing else may differ.
            if (error?.Contains("not supported") == true)
                unsupported++;
            else if (output != wanted || (raised is not null && !error!.EndsWith(raised.ReplaceLineEndings(" "), StringComparison.Ordinal)))
                wrong.Add($"{Quoted(source)}: {Quoted(wanted)} there, {Quoted(output ?? error)} here");
        }
        Assert.True(wrong.Count == 0, string.Join("\n", wrong.Take(10)));
        Assert.True(compared > 4000, $"{compared} templates");
        Assert.True(unsupported < compared / 40, $"{unsupported} of {compared} templates are not supported");
    }

    /// <summary>More of them, and published templates: <c>build/check-templates.sh</c> writes the file.</summary>
    [Fact]
    public void TemplatesOfAFileRenderAsInJinja2()
    {
        const string Variable = "LOOKAHEADKV_TEMPLATE_CASES";
        if (Environment.GetEnvironmentVariable(Variable) is not { } path)
        {
            Assert.Skip($"{Variable} names no file; build/check-templates.sh makes one");
            return;
        }
        var (figures, wrong) = (new SortedDictionary<string, (int Compared, int Errors, int Unsupported)>(), new List<string>());
        foreach (var line in File.ReadLines(path))
        {
            using var row = JsonDocument.Parse(line);
            string? Text(string name) => row.RootElement.TryGetProperty(name, out var value) ? value.GetString() : null;
            var (source, wanted) = (Text("template")!, Text("output"));
            var (output, error) = Rendered(source, row.RootElement.GetProperty("context"));
            var unsupported = error?.Contains("not supported") == true;
            var (compared, errors, refused) = figures.GetValueOrDefault(Text("source") ?? "random");
            figures[Text("source") ?? "random"] = (compared + 1, errors + (wanted is null ? 1 : 0), refused + (unsupported ? 1 : 0));
            if (
                !unsupported
                && (
                    output != wanted
                    || (Text("raised") is { } raised && !error!.EndsWith(raised.ReplaceLineEndings(" "), StringComparison.Ordinal))
                )
            )
                wrong.Add($"{Quoted(source[..Math.Min(source.Length, 200)])}: {Quoted(wanted)} there, {Quoted(output ?? error)} here");
        }
        foreach (var (name, (compared, errors, refused)) in figures)
            Console.WriteLine($"{name}: {compared} compared, {errors} of them errors there; {refused} not supported here");
        Assert.True(wrong.Count == 0, $"{wrong.Count} differ:\n" + string.Join("\n", wrong.Take(10)));
    }

    internal static string Golden(string name, [CallerFilePath] string path = "") =>
        Path.Combine(Path.GetDirectoryName(path)!, "..", "..", "golden", name);

    private static (string? Output, string? Error) Rendered(string source, JsonElement context)
    {
        try
        {
            var variables = context.EnumerateObject().Select(static p => KeyValuePair.Create(p.Name, p.Value));
            return (Template.Parse(source, "template").Render(variables, clock: StoppedClock.Golden), null);
        }
        catch (InputException error)
        {
            return (null, error.Message);
        }
    }

    private static string Quoted(string? text) => JsonSerializer.Serialize(text);
}
