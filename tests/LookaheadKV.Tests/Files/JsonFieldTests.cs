using LookaheadKV.Files;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Files;

/// <summary>Values of JSON files know where they stand, and say so when they are not what they must be.</summary>
public sealed class JsonFieldTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Values_are_found_by_their_way()
    {
        var root = Document(
            """{"a": {"b": [{"c": "x"}, {"c": "y"}]}, "n": 0, "yes": true, "no": false, "nothing": null, "t": ["p", "q"]}"""
        );
        var items = root.Member("a").Member("b").Items().ToList();
        Assert.Equal(["x", "y"], items.Select(item => item.Member("c").Text()));
        Assert.Equal(["a.b[0]", "a.b[1]"], items.Select(item => item.Name));
        Assert.Equal(0, root.Member("n").Count());
        Assert.True(root.Member("yes").Truth());
        Assert.False(root.Member("no").Truth());
        Assert.Null(root.Find("nothing"));
        Assert.Null(root.Find("other"));
        Assert.Equal(["p", "q"], root.Member("t").Texts());
    }

    [Theory]
    [InlineData("""{"a": {"b": 1}}""", "line 1: a.b is 1, must be a string.")]
    [InlineData("""{"a": {}}""", "a.b is missing.")]
    [InlineData("""{"a": {"b": null}}""", "a.b is missing.")]
    [InlineData("""{"a": []}""", "line 1: a is an empty array, must be an object.")]
    [InlineData("""{"a": [1]}""", "line 1: a is an array, must be an object.")]
    [InlineData("""[]""", "the value is an empty array, must be an object.")]
    [InlineData("""{"a": {"b": {}}}""", "line 1: a.b is an object, must be a string.")]
    [InlineData("""{"a": {"b": true}}""", "line 1: a.b is true, must be a string.")]
    public void What_is_not_a_text_is_named(string json, string message) =>
        Refused(json, message, root => root.Member("a").Member("b").Text());

    [Theory]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("3000000000")]
    [InlineData("\"1\"")]
    public void What_is_no_count_is_named(string value) =>
        Refused(
            $$"""{"a": {{value}}}""",
            $"line 1: a is {value}, must be a whole number that is not negative.",
            root => root.Member("a").Count()
        );

    [Fact]
    public void Other_kinds_are_named_too_and_long_texts_cut()
    {
        Refused("""{"a": "x"}""", "line 1: a is \"x\", must be true or false.", root => root.Member("a").Truth());
        Refused("""{"a": "x"}""", "line 1: a is \"x\", must be an array.", root => root.Member("a").Items());
        Refused("""{"a": []}""", "line 1: a is an empty array, must be at least one string.", root => root.Member("a").Texts());
        Refused("""{"a": ["x", 2]}""", "line 1: a[1] is 2, must be a string.", root => root.Member("a").Texts());
        var (fits, cut) = (new string('y', 40), new string('y', 41));
        Refused($$"""{"a": "{{fits}}"}""", $"line 1: a is \"{fits}\", must be true or false.", root => root.Member("a").Truth());
        Refused($$"""{"a": "{{cut}}"}""", $"line 1: a is \"{fits}…\", must be true or false.", root => root.Member("a").Truth());
    }

    [Fact]
    public void Lines_are_numbered_blank_ones_too()
    {
        var file = Write("{\"a\": 1}\n\n  \n{\"a\": 2}\n");
        Assert.Equal([$"{file}: line 1", $"{file}: line 4"], JsonFile.Lines(file).Select(line => line.Source));
        Assert.Equal([1, 2], JsonFile.Lines(file).Select(line => line.Member("a").Count()));
        var error = Assert.Throws<InputException>(() => JsonFile.Lines(Write("{}\n{\n")).ToList());
        Assert.StartsWith($"{_folder["file"]}: line 2: not JSON (", error.Message);
    }

    [Theory]
    [InlineData(" \n [{\"a\": 1}, {\"a\": 2}]")]
    [InlineData("{\"a\": 1}\n{\"a\": 2}")]
    public void Arrays_and_lines_are_told_apart_by_their_first_letter(string text) =>
        Assert.Equal([1, 2], JsonFile.ArrayOrLines(Write(text)).Select(item => item.Member("a").Count()));

    [Fact]
    public void Empty_files_have_no_lines_and_missing_ones_are_named()
    {
        Assert.Empty(JsonFile.ArrayOrLines(Write("")));
        Assert.Contains("not JSON", Assert.Throws<InputException>(() => JsonFile.Read(Write(""))).Message);
        var read = (Action<string>[])
            [path => JsonFile.Read(path), path => JsonFile.Lines(path).ToList(), path => JsonFile.ArrayOrLines(path).ToList()];
        Assert.All(
            read,
            from => Assert.Contains("none cannot be read", Assert.Throws<InputException>(() => from(_folder["none"])).Message)
        );
    }

    private void Refused(string json, string message, Action<JsonField> read) =>
        Assert.Equal($"{_folder["file"]}: {message}", Assert.Throws<InputException>(() => read(Document(json))).Message);

    private JsonField Document(string json) => JsonFile.Read(Write(json)).Root;

    private string Write(string text)
    {
        File.WriteAllText(_folder["file"], text);
        return _folder["file"];
    }
}
