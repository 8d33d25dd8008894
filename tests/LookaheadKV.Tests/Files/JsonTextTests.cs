using System.Text;
using System.Text.Json;
using LookaheadKV.Files;
using Xunit;

namespace LookaheadKV.Tests.Files;

/// <summary>A document is sound before anything is taken from it, and what is not is told with its line.</summary>
public class JsonTextTests
{
    private static JsonText Of(string json) => new("f.json", Encoding.UTF8.GetBytes(json));

    private static string Refusal(byte[] bytes, int? line = null) =>
        Assert.Throws<InputException>(() => new JsonText("f.json", bytes, line)).Message;

    private static string Refusal(string json) => Refusal(Encoding.UTF8.GetBytes(json));

    [Theory]
    [InlineData("", "f.json: line 1: not JSON (nothing is in it).")]
    [InlineData("\n\n", "f.json: line 3: not JSON (nothing is in it).")]
    [InlineData("{\n\"a\": 1,\n}", "f.json: line 3: not JSON (")]
    [InlineData("{\n// no\n}", "f.json: line 2: not JSON (")]
    [InlineData("{\n\"a\": 1 \"b\": 2}", "f.json: line 2: not JSON (")]
    [InlineData("{\"a\": 1}\n{\"a\": 2}", "f.json: line 2: not JSON (")]
    [InlineData("{\n\n\"a\": NaN}", "f.json: line 3: \"a\" is NaN, which Python writes and JSON does not have; write a number or null.")]
    [InlineData("{\"a\": 1,\n\"b\": [1, Infinity]}", "f.json: line 2: \"b\" is Infinity, which")]
    [InlineData("{\"a\": 1,\n\"b\": -Infinity}", "f.json: line 2: \"b\" is -Infinity, which")]
    [InlineData("{\n\"a\": \"\\ud83d\"}", "f.json: line 2: \"a\" holds half of a surrogate pair")]
    [InlineData("{\n\"\\ud83d\": 1}", "f.json: line 2: a key holds half of a surrogate pair")]
    public void What_is_unsound_is_told_with_its_line(string json, string told)
    {
        Assert.StartsWith(told, Refusal(json));
        Assert.Single(Refusal(json).Split('\n'));
    }

    [Fact]
    public void Deep_nesting_is_refused() => Assert.Contains("line 1: not JSON (", Refusal(new string('[', 100_000)));

    [Fact]
    public void Bytes_that_are_no_UTF8_are_told_with_line_and_byte()
    {
        Assert.StartsWith("f.json: line 2: byte 3 is no UTF-8 (0xFF)", Refusal([.. "{\n\""u8, 0xFF, .. "\": 1}"u8]));
        Assert.StartsWith("f.json: line 7: byte 1 is no UTF-8 (0xE9)", Refusal([(byte)'"', 0xE9, (byte)'"'], line: 7));
    }

    [Fact]
    public void A_byte_order_mark_is_passed_over() =>
        Assert.Equal(1, new JsonText("f.json", (byte[])[0xEF, 0xBB, 0xBF, .. "{\"a\": 1}"u8]).Root["a"].Integer());

    [Fact]
    public void Of_a_key_that_comes_twice_the_last_counts() => Assert.Equal(2, Of("""{"a": 1, "a": 2}""").Root["a"].Integer());

    [Theory]
    [InlineData("4096", 4096)]
    [InlineData("4096.0", 4096)]
    [InlineData("4.096e3", 4096)]
    [InlineData("-1", -1)]
    public void Whole_numbers_are_taken_as_Python_writes_them(string text, int value) =>
        Assert.Equal(value, Of($$"""{"a": {{text}}}""").Root["a"].Integer());

    [Theory]
    [InlineData("1.5")]
    [InlineData("1e400")]
    [InlineData("1e10")]
    [InlineData("-99999999999999999999999")]
    public void What_no_number_of_ours_can_hold_is_refused(string text) =>
        Assert.StartsWith(
            $"f.json: line 1: a is {text}, must be",
            Assert.Throws<InputException>(() => Of($$"""{"a": {{text}}}""").Root["a"].Integer()).Message
        );

    [Fact]
    public void A_number_beyond_double_is_refused() =>
        Assert.Contains(
            "a is -1e400, must be a number",
            Assert.Throws<InputException>(() => Of("""{"a": -1e400}""").Root["a"].Number()).Message
        );

    // Escapes in any order beside the serializer of .NET, which refuses the texts that have half a pair.
    [Fact]
    public void Half_a_pair_is_found_wherever_it_stands()
    {
        string[] parts = ["a", "\\\\", "\\\"", "\\n", "\\u0041", "\\ud83d", "\\uDE42", "\\uD83D\\ude42", "u", "d83d", "é", "🙂"];
        for (var seed = 0; seed < 3_000; seed++)
        {
            var random = new Random(seed);
            var text = string.Concat(Enumerable.Range(0, random.Next(6)).Select(_ => parts[random.Next(parts.Length)]));
            foreach (var json in new[] { $"[\"{text}\"]", $"{{\"{text}\": 1}}" })
                Assert.Equal(IsText(json), Record.Exception(() => Of(json)) is null);
        }

        static bool IsText(string json)
        {
            using var document = JsonDocument.Parse(json);
            try
            {
                foreach (
                    var item in document.RootElement.ValueKind == JsonValueKind.Array
                        ? document.RootElement.EnumerateArray().Select(item => item.GetString())
                        : document.RootElement.EnumerateObject().Select(item => item.Name)
                )
                    GC.KeepAlive(item);
                return true;
            }
            catch (InvalidOperationException)
            {
                return false;
            }
        }
    }

    // Random documents, written with a line to every value: the line that a value is told with is the line it is on.
    [Fact]
    public void Every_value_is_told_with_its_line()
    {
        for (var seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            var lines = new List<(string Name, int Line)>();
            var text = new StringBuilder();
            var line = 1;
            Write("", 4);
            var document = Of(text.ToString());
            Assert.All(lines, value => Assert.Equal(value.Line, document.LineOf(value.Name)));

            void Write(string name, int depth)
            {
                text.Append('\n');
                lines.Add((name, ++line));
                var count = random.Next(4);
                var kind = depth == 0 ? 2 : random.Next(3);
                text.Append(
                    kind == 0 ? "{"
                    : kind == 1 ? "["
                    : "\"x\""
                );
                for (var i = 0; i < count && kind < 2; i++)
                {
                    string[] keys = [$"k{i}", $"a.b{i}", $"[{i}]", $"\\u00e9{i}"];
                    var key = keys[random.Next(keys.Length)];
                    text.Append(i == 0 ? "" : ",").Append(kind == 0 ? $"\"{key}\":" : "");
                    Write(kind == 0 ? JsonField.Join(name, key.Replace("\\u00e9", "é")) : $"{name}[{i}]", depth - 1);
                }
                text.Append(
                    kind == 0 ? "}"
                    : kind == 1 ? "]"
                    : ""
                );
            }
        }
    }
}
