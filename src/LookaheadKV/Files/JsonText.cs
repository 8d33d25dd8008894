using System.Globalization;
using System.Text;
using System.Text.Json;

namespace LookaheadKV.Files;

/// <summary>
/// A JSON document that is sound before anything is taken from it: UTF-8, JSON to its end, and every string and key a text. What is wrong is told
/// with its file and line. Of a key that comes twice the last counts, as in Python.
/// </summary>
internal sealed class JsonText
{
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly int _firstLine;

    /// <param name="file">The file, for messages.</param>
    /// <param name="bytes">Its bytes, or those of one line of it; a byte order mark is passed over.</param>
    /// <param name="line">The line, where the file has a document on each.</param>
    /// <exception cref="InputException">It is not JSON.</exception>
    public JsonText(string file, ReadOnlyMemory<byte> bytes, int? line = null)
    {
        File = file;
        Source = line is null ? file : $"{file}: line {line}";
        _firstLine = line ?? 1;
        _bytes = bytes.Span.StartsWith(Encoding.UTF8.Preamble) ? bytes[Encoding.UTF8.Preamble.Length..] : bytes;
        ForeignFile.Refuse(Source, _bytes.Span);
        TextFile.RequireUtf8(file, _bytes.Span, _firstLine);
        RequireTexts();
        Root = new JsonField(this, "", JsonDocument.Parse(_bytes).RootElement);
    }

    /// <summary>The file.</summary>
    public string File { get; }

    /// <summary>The file, and the line where it has a document on each.</summary>
    public string Source { get; }

    /// <summary>The document's value.</summary>
    public JsonField Root { get; }

    /// <summary>The document as an object of .NET.</summary>
    /// <param name="wanted">What the file must hold, for messages.</param>
    /// <param name="options">How it is read.</param>
    /// <exception cref="InputException">It is something else.</exception>
    public T As<T>(string wanted, JsonSerializerOptions? options = null)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(_bytes.Span, options) ?? throw new InputException($"{Source}: null is not {wanted}.");
        }
        catch (JsonException error)
        {
            throw At(_firstLine + (int)(error.LineNumber ?? 0), $"not {wanted} ({Reason(error)})", error);
        }
    }

    /// <summary>The line of a value, by its name as <see cref="JsonField.Name"/> writes it.</summary>
    public int LineOf(string name)
    {
        var reader = Reader();
        reader.Read();
        return _firstLine + (Seek(ref reader, "", name) is { } at ? _bytes.Span[..(int)at].Count((byte)'\n') : 0);
    }

    /// <summary>An error of a line.</summary>
    public InputException At(int line, string what, Exception? inner = null) => new($"{File}: line {line}: {what}.", inner!);

    private Utf8JsonReader Reader() => new(_bytes.Span);

    // Where the value of this name begins; of several the last. The reader stands on a value, and is left on that value's last token.
    private static long? Seek(ref Utf8JsonReader reader, string here, string name)
    {
        if (here == name || !name.StartsWith(here, StringComparison.Ordinal))
        {
            var at = reader.TokenStartIndex;
            reader.TrySkip();
            return here == name ? at : null;
        }
        long? found = null;
        if (reader.TokenType == JsonTokenType.StartObject)
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                var inner = JsonField.Join(here, reader.GetString()!);
                reader.Read();
                found = Seek(ref reader, inner, name) ?? found;
            }
        else if (reader.TokenType == JsonTokenType.StartArray)
            for (var index = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; index++)
                found = Seek(ref reader, $"{here}[{index}]", name) ?? found;
        return found;
    }

    private void RequireTexts()
    {
        var reader = Reader();
        var key = "the text";
        try
        {
            while (reader.Read())
            {
                var isKey = reader.TokenType == JsonTokenType.PropertyName;
                if ((isKey || reader.TokenType == JsonTokenType.String) && reader.ValueIsEscaped && HasHalfSurrogate(reader.ValueSpan))
                    throw At(
                        LineAt((int)reader.TokenStartIndex),
                        $"{(isKey ? "a key" : key)} holds half of a surrogate pair, which is no text; write both halves or the character"
                    );
                if (isKey)
                    key = Quoting.Quote(reader.GetString());
            }
        }
        catch (JsonException error)
        {
            throw NotJson(error, key);
        }
    }

    private InputException NotJson(JsonException error, string key)
    {
        var line = (int)(error.LineNumber ?? 0);
        var at = LineStart(line) + (int)(error.BytePositionInLine ?? 0);
        // The reader stops behind a sign.
        var rest = _bytes.Span[(at > 0 && _bytes.Span[at - 1] == '-' ? at - 1 : at)..];
        foreach (var number in new[] { "NaN", "Infinity", "-Infinity" })
            if (rest.StartsWith(Encoding.ASCII.GetBytes(number)))
                return At(
                    _firstLine + line,
                    $"{key} is {number}, which Python writes and JSON does not have; write a number or null",
                    error
                );
        var why = _bytes.Span.IndexOfAnyExcept(" \t\r\n\0"u8) < 0 ? "nothing is in it" : Reason(error);
        return At(_firstLine + line, $"not JSON ({why})", error);
    }

    private int LineAt(int at) => _firstLine + _bytes.Span[..at].Count((byte)'\n');

    private int LineStart(int line)
    {
        var at = 0;
        for (; line > 0; line--)
            at += _bytes.Span[at..].IndexOf((byte)'\n') + 1;
        return at;
    }

    // The serializer puts path, line and byte behind its reason.
    private static string Reason(JsonException error)
    {
        var reason = Quoting.OneLine(error.Message).Split(" Path: ")[0].Split(" LineNumber: ")[0].TrimEnd('.', ' ');
        var path = error.Path is { Length: > 1 } value ? $"{value[2..]}: " : "";
        return string.Create(CultureInfo.InvariantCulture, $"{path}{reason}, byte {error.BytePositionInLine + 1 ?? 0}");
    }

    /// <summary>Whether a string as JSON writes it escapes one half of a surrogate pair without the other.</summary>
    private static bool HasHalfSurrogate(ReadOnlySpan<byte> escaped)
    {
        for (var at = escaped.IndexOf((byte)'\\'); at >= 0 && at < escaped.Length; )
        {
            if (escaped[at] != '\\')
                at++;
            else if (Unit(escaped, at) is not { } unit)
                at += 2;
            else if (char.IsHighSurrogate(unit) && Unit(escaped, at + 6) is { } low && char.IsLowSurrogate(low))
                at += 12;
            else if (char.IsSurrogate(unit))
                return true;
            else
                at += 6;
        }
        return false;
    }

    // The UTF-16 unit of an escape \uXXXX that begins here.
    private static char? Unit(ReadOnlySpan<byte> escaped, int at) =>
        at + 6 <= escaped.Length
        && escaped[at..].StartsWith("\\u"u8)
        && ushort.TryParse(escaped.Slice(at + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit)
            ? (char)unit
            : null;
}
