namespace LookaheadKV.Text;

/// <summary>A piece of text that no merge leaves.</summary>
/// <param name="Text">Its text, not empty.</param>
/// <param name="AtStart">Whether it is where the whole text starts.</param>
internal readonly record struct Pretoken(ReadOnlyMemory<char> Text, bool AtStart)
{
    public Pretoken this[Range part] => new(Text[part], AtStart && part.Start.Value == 0);
}

/// <summary>A step that cuts pieces of text into smaller ones and may change them: one of tokenizer.json's pre-tokenizers.</summary>
internal abstract record PreTokenizer
{
    /// <summary>Adds what becomes of a piece to a list.</summary>
    public abstract void Cut(Pretoken piece, List<Pretoken> pieces);

    /// <summary>Cuts where a regular expression matches.</summary>
    /// <param name="Pattern">The regular expression.</param>
    /// <param name="Source">What the error for one that cannot be run calls the place it came from.</param>
    /// <param name="Behavior">What becomes of the matches.</param>
    /// <param name="Invert">Whether what is between matches counts as match, and the other way round.</param>
    internal sealed record Split(string Pattern, string Source, SplitBehavior Behavior = SplitBehavior.Isolated, bool Invert = false)
        : PreTokenizer
    {
        private readonly SplitPattern matcher = SplitPattern.Of(Pattern, Source);

        public override void Cut(Pretoken piece, List<Pretoken> pieces)
        {
            var parts = new List<(Range Place, bool IsMatch)>();
            var end = 0;
            foreach (var match in matcher.Matches(piece.Text.Span))
            {
                if (match.Start.Value > end)
                    parts.Add((end..match.Start, Invert));
                parts.Add((match, !Invert));
                end = match.End.Value;
            }

            if (end < piece.Text.Length)
                parts.Add((end..piece.Text.Length, Invert));
            foreach (var place in Join(parts))
            {
                if (place.Start.Value < place.End.Value)
                    pieces.Add(piece[place]);
            }
        }

        private IEnumerable<Range> Join(List<(Range Place, bool IsMatch)> parts)
        {
            if (Behavior is SplitBehavior.Isolated or SplitBehavior.Removed)
                return parts.Where(part => !part.IsMatch || Behavior == SplitBehavior.Isolated).Select(part => part.Place);
            var joined = new List<Range>();
            for (var i = 0; i < parts.Count; i++)
            {
                // A match joins the part before it, or the one behind it joins the match, where these are no matches too.
                var joins =
                    i > 0
                    && Behavior switch
                    {
                        SplitBehavior.MergedWithPrevious => parts[i].IsMatch && !parts[i - 1].IsMatch,
                        SplitBehavior.MergedWithNext => !parts[i].IsMatch && parts[i - 1].IsMatch,
                        _ => parts[i].IsMatch == parts[i - 1].IsMatch,
                    };
                if (joins)
                    joined[^1] = joined[^1].Start..parts[i].Place.End;
                else
                    joined.Add(parts[i].Place);
            }

            return joined;
        }
    }

    /// <summary>Spaces become a visible mark, and one is put before what does not start with one: always, at the start only, or never.</summary>
    /// <param name="Mark">One character.</param>
    /// <param name="Scheme">Where a mark is put before a piece.</param>
    /// <param name="SplitsWords">Whether a piece is cut before every mark.</param>
    internal sealed record Metaspace(string Mark, PrefixScheme Scheme, bool SplitsWords) : PreTokenizer
    {
        public override void Cut(Pretoken piece, List<Pretoken> pieces)
        {
            var text = piece.Text.ToString().Replace(" ", Mark, StringComparison.Ordinal);
            var wanted = Scheme == PrefixScheme.Always || (Scheme == PrefixScheme.First && piece.AtStart);
            if (wanted && !text.StartsWith(Mark, StringComparison.Ordinal))
                text = Mark + text;
            var whole = piece with { Text = text.AsMemory() };
            var start = 0;
            while (SplitsWords && text.IndexOf(Mark[0], start + 1) is > 0 and var next)
            {
                pieces.Add(whole[start..next]);
                start = next;
            }

            pieces.Add(whole[start..text.Length]);
        }
    }

    /// <summary>GPT-2's step: perhaps a space before the piece, perhaps cut by GPT-2's pattern, and every byte spelled as a character.</summary>
    /// <param name="AddsSpace">Whether a space is put before a piece that does not start with one.</param>
    /// <param name="Splitter">Cuts before the bytes are spelled; null: nothing is cut.</param>
    internal sealed record SpellBytes(bool AddsSpace, Split? Splitter) : PreTokenizer
    {
        public override void Cut(Pretoken piece, List<Pretoken> pieces)
        {
            if (AddsSpace && piece.Text.Span[0] != ' ')
                piece = piece with { Text = $" {piece.Text}".AsMemory() };
            var first = pieces.Count;
            if (Splitter is null)
                pieces.Add(piece);
            else
                Splitter.Cut(piece, pieces);
            for (var i = first; i < pieces.Count; i++)
                pieces[i] = pieces[i] with { Text = ByteLevel.Spell(pieces[i].Text.Span).AsMemory() };
        }
    }
}

/// <summary>What becomes of the matches of a split.</summary>
internal enum SplitBehavior
{
    /// <summary>Each is a piece.</summary>
    Isolated,

    /// <summary>They are left out.</summary>
    Removed,

    /// <summary>Each ends the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>Each starts the piece behind it.</summary>
    MergedWithNext,

    /// <summary>Those that touch are one piece.</summary>
    Contiguous,
}

/// <summary>Where a mark is put before a text.</summary>
internal enum PrefixScheme
{
    /// <summary>Before every stretch between added tokens.</summary>
    Always,

    /// <summary>Only where the whole text starts.</summary>
    First,

    /// <summary>Nowhere.</summary>
    Never,
}
