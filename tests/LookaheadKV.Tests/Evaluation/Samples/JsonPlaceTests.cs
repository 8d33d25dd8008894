using LookaheadKV.Evaluation.Samples;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Samples;

/// <summary>Values of JSON files know where they stand, and say so when they are not what they must be.</summary>
public sealed class JsonPlaceTests : IDisposable
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
        Assert.Equal(["a.b[0]", "a.b[1]"], items.Select(item => item.Path));
        Assert.Equal(0, root.Member("n").Count());
        Assert.True(root.Member("yes").Truth());
        Assert.False(root.Member("no").Truth());
        Assert.Null(root.Find("nothing"));
        Assert.Null(root.Find("other"));
        Assert.Equal(["p", "q"], root.Member("t").Texts());
    }

    [Theory]
    [InlineData("""{"a": {"b": 1}}""", "a.b is 1, must be a string.")]
    [InlineData("""{"a": {}}""", "a.b is missing.")]
    [InlineData("""{"a": {"b": null}}""", "a.b is missing.")]
    [InlineData("""{"a": []}""", "a is an empty array, must be an object.")]
    [InlineData("""{"a": [1]}""", "a is an array, must be an object.")]
    [InlineData("""[]""", "the value is an empty array, must be an object.")]
    [InlineData("""{"a": {"b": {}}}""", "a.b is an object, must be a string.")]
    [InlineData("""{"a": {"b": true}}""", "a.b is true, must be a string.")]
    public void What_is_not_a_text_is_named(string json, string message) =>
        Refused(json, message, root => root.Member("a").Member("b").Text());

    [Theory]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("3000000000")]
    [InlineData("\"1\"")]
    public void What_is_no_count_is_named(string value) =>
        Refused($$"""{"a": {{value}}}""", $"a is {value}, must be a whole number that is not negative.", root => root.Member("a").Count());

    [Fact]
    public void Other_kinds_are_named_too_and_long_texts_cut()
    {
        Refused("""{"a": "x"}""", "a is \"x\", must be true or false.", root => root.Member("a").Truth());
        Refused("""{"a": "x"}""", "a is \"x\", must be an array.", root => root.Member("a").Items());
        Refused("""{"a": []}""", "a is an empty array, must be at least one string.", root => root.Member("a").Texts());
        Refused("""{"a": ["x", 2]}""", "a[1] is 2, must be a string.", root => root.Member("a").Texts());
        var (fits, cut) = (new string('y', 40), new string('y', 41));
        Refused($$"""{"a": "{{fits}}"}""", $"a is \"{fits}\", must be true or false.", root => root.Member("a").Truth());
        Refused($$"""{"a": "{{cut}}"}""", $"a is \"{fits}…\", must be true or false.", root => root.Member("a").Truth());
    }

    [Fact]
    public void Lines_are_numbered_blank_ones_too()
    {
        var file = Write("{\"a\": 1}\n\n  \n{\"a\": 2}\n");
        Assert.Equal([$"{file}: line 1", $"{file}: line 4"], JsonPlace.ReadLines(file).Select(line => line.Source));
        Assert.Equal([1, 2], JsonPlace.ReadLines(file).Select(line => line.Member("a").Count()));
        var error = Assert.Throws<InputException>(() => JsonPlace.ReadLines(Write("{}\n{\n")).ToList());
        Assert.StartsWith($"{_folder["file"]}: line 2: not JSON (", error.Message);
    }

    [Theory]
    [InlineData(" \n [{\"a\": 1}, {\"a\": 2}]")]
    [InlineData("{\"a\": 1}\n{\"a\": 2}")]
    public void Arrays_and_lines_are_told_apart_by_their_first_letter(string text) =>
        Assert.Equal([1, 2], JsonPlace.ReadArrayOrLines(Write(text)).Select(item => item.Member("a").Count()));

    [Fact]
    public void Empty_files_have_no_lines_and_missing_ones_are_named()
    {
        Assert.Empty(JsonPlace.ReadArrayOrLines(Write("")));
        Assert.Contains("not JSON", Assert.Throws<InputException>(() => JsonPlace.ReadDocument(Write(""))).Message);
        var read = (Action<string>[])
            [
                path => JsonPlace.ReadDocument(path),
                path => JsonPlace.ReadLines(path).ToList(),
                path => JsonPlace.ReadArrayOrLines(path).ToList(),
            ];
        Assert.All(
            read,
            from => Assert.Contains("none cannot be read", Assert.Throws<InputException>(() => from(_folder["none"])).Message)
        );
    }

    private void Refused(string json, string message, Action<JsonPlace> read) =>
        Assert.Equal($"{_folder["file"]}: {message}", Assert.Throws<InputException>(() => read(Document(json))).Message);

    private JsonPlace Document(string json) => JsonPlace.ReadDocument(Write(json));

    private string Write(string text)
    {
        File.WriteAllText(_folder["file"], text);
        return _folder["file"];
    }
}
