using System.Text;

namespace LookaheadKV.Text;

/// <summary>
/// Turns tokens into text as they come. What it returns, in a row, is what <see cref="Tokenizer.Decode"/> gives for all of them at once,
/// and no return ends within a character: bytes wait until the tokens behind them complete it.
/// </summary>
public sealed class StreamingDecoder
{
    private readonly Tokenizer tokenizer;
    private readonly bool skipSpecial;
    private readonly PieceDecoding? pieces;
    private readonly Decoder utf8 = Encoding.UTF8.GetDecoder();
    private readonly List<byte> run = []; // byte tokens in a row
    private int spacesToStrip;
    private bool first = true;

    /// <summary>Starts a text.</summary>
    /// <param name="tokenizer">The tokenizer of the ids.</param>
    /// <param name="skipSpecial">Leave control tokens out instead of writing their text.</param>
    public StreamingDecoder(Tokenizer tokenizer, bool skipSpecial = false)
    {
        (this.tokenizer, this.skipSpecial, pieces) = (tokenizer, skipSpecial, tokenizer.Definition.Rules.Decoding);
        spacesToStrip = pieces?.StripFirst ?? 0;
    }

    /// <summary>The text that one more token completes, often its own; empty while a character is not whole.</summary>
    /// <exception cref="InputException">The id has no token.</exception>
    public string Add(int id)
    {
        var token = tokenizer.Piece(id);
        if (skipSpecial && tokenizer.IsSpecial(id))
            return "";
        return pieces is null ? Characters(tokenizer.Bytes(id), flush: false) : Text(token, pieces);
    }

    /// <summary>What is left at the end: U+FFFD for bytes that never became a character. The decoder then starts anew.</summary>
    public string Finish()
    {
        var rest = pieces is null ? Characters([], flush: true) : Stripped(Run());
        (spacesToStrip, first) = (pieces?.StripFirst ?? 0, true);
        return rest;
    }

    private string Characters(ReadOnlySpan<byte> bytes, bool flush)
    {
        var characters = new char[utf8.GetCharCount(bytes, flush)];
        return new string(characters, 0, utf8.GetChars(bytes, characters, flush));
    }

    private string Text(string token, PieceDecoding decoding)
    {
        if (decoding.ByteTokens && ByteTokens.Value(token) is { } value)
        {
            first = false;
            run.Add(value);
            return "";
        }

        var text = token.Replace(decoding.Mark, first && decoding.FirstTokenLosesMarks ? "" : " ", StringComparison.Ordinal);
        first = false;
        return Stripped(Run() + text);
    }

    /// <summary>The text of the byte tokens so far. They are one text: a wrong byte spoils all of it, as in the Python library.</summary>
    private string Run()
    {
        byte[] bytes = [.. run];
        run.Clear();
        return System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : new string('\ufffd', bytes.Length);
    }

    private string Stripped(string text)
    {
        var from = 0;
        while (spacesToStrip > 0 && from < text.Length)
        {
            if (text[from] != ' ')
                spacesToStrip = 0;
            else
                (from, spacesToStrip) = (from + 1, spacesToStrip - 1);
        }

        return text[from..];
    }
}
