using System.Text;
using System.Text.Unicode;

namespace LookaheadKV.Text;

/// <summary>
/// A step from tokens as the vocabulary writes them to text: one of tokenizer.json's decoders. Tokens come one after the other, so that text
/// can be shown as it is made; what a step hands on goes to the next one, and what the last one hands on, in a row, is the text.
/// </summary>
internal abstract record TokenDecoder
{
    /// <summary>Starts a text.</summary>
    public abstract Run Start();

    /// <summary>A step at work on one text.</summary>
    internal abstract class Run
    {
        /// <summary>What one more token makes ready.</summary>
        public abstract IEnumerable<string> Add(string token);

        /// <summary>What is left at the end.</summary>
        public virtual IEnumerable<string> Finish() => [];
    }

    /// <summary>A step that changes each token by itself; it is told whether the token is the first.</summary>
    private sealed class EachToken(Func<string, bool, string> change) : Run
    {
        private bool first = true;

        public override IEnumerable<string> Add(string token)
        {
            yield return change(token, first);
            first = false;
        }
    }

    /// <summary>Characters become the bytes that they spell, and those the text; a token that is not spelled so stands for itself.</summary>
    internal sealed record SpelledBytes : TokenDecoder
    {
        public override Run Start() => new Decoding();

        private sealed class Decoding : Run
        {
            private readonly Decoder utf8 = Encoding.UTF8.GetDecoder();

            public override IEnumerable<string> Add(string token) =>
                [Characters(ByteLevel.Unspell(token) ?? Encoding.UTF8.GetBytes(token), flush: false)];

            public override IEnumerable<string> Finish() => [Characters([], flush: true)];

            private string Characters(ReadOnlySpan<byte> bytes, bool flush)
            {
                var characters = new char[utf8.GetCharCount(bytes, flush)];
                return new string(characters, 0, utf8.GetChars(bytes, characters, flush));
            }
        }
    }

    /// <summary>Byte tokens, &lt;0x0A&gt; and its kind, in a row become their text; a wrong byte spoils all of the row, as in the Rust library.</summary>
    internal sealed record ByteFallback : TokenDecoder
    {
        public override Run Start() => new Decoding();

        private sealed class Decoding : Run
        {
            private readonly List<byte> row = [];

            public override IEnumerable<string> Add(string token)
            {
                if (ByteTokens.Value(token) is { } value)
                {
                    row.Add(value);
                    return [];
                }

                return [.. Finish(), token];
            }

            public override IEnumerable<string> Finish()
            {
                byte[] bytes = [.. row];
                row.Clear();
                return Utf8.IsValid(bytes) ? (bytes.Length > 0 ? [Encoding.UTF8.GetString(bytes)] : []) : bytes.Select(_ => "\ufffd");
            }
        }
    }

    /// <summary>One text put in the place of another.</summary>
    internal sealed record Replace(string Old, string New) : TokenDecoder
    {
        public override Run Start() => new EachToken((token, _) => token.Replace(Old, New, StringComparison.Ordinal));
    }

    /// <summary>Marks become spaces; the first token may lose them instead.</summary>
    internal sealed record Metaspace(string Mark, PrefixScheme Scheme) : TokenDecoder
    {
        public override Run Start() =>
            new EachToken(
                (token, first) => token.Replace(Mark, first && Scheme != PrefixScheme.Never ? "" : " ", StringComparison.Ordinal)
            );
    }

    /// <summary>A character taken from the start, so many times at most: of every token, or of the text where tokens were fused before.</summary>
    internal sealed record Strip(char Character, int Most, bool OfText) : TokenDecoder
    {
        public override Run Start() => OfText ? new OfWholeText(this) : new EachToken((token, _) => token[Leading(token, Most)..]);

        private int Leading(string text, int most) => text.Take(most).TakeWhile(unit => unit == Character).Count();

        private sealed class OfWholeText(Strip rule) : Run
        {
            private int left = rule.Most;

            public override IEnumerable<string> Add(string token)
            {
                var gone = rule.Leading(token, left);
                left = gone < token.Length ? 0 : left - gone;
                return [token[gone..]];
            }
        }
    }

    /// <summary>A space between tokens: what becomes of them where a file names no decoder.</summary>
    internal sealed record Spaced : TokenDecoder
    {
        public override Run Start() => new EachToken((token, first) => first ? token : " " + token);
    }
}
