using System.Text.RegularExpressions;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;

namespace LookaheadKV.Text;

/// <summary>Reads the pre-tokenizers of a tokenizer.json; most of them are splits by a pattern of their own.</summary>
internal static class PreTokenizerReader
{
    private const string Punctuation = @"[!-/:-@\[-`{-~\p{P}]"; // the signs of ASCII that Unicode calls symbols too

    private const string WordsAndSigns = @"[\w\x{200C}\x{200D}]+|[^\w\s\x{200C}\x{200D}]+"; // joiners count as words there

    /// <summary>The steps of one field that is no Sequence.</summary>
    public static IEnumerable<PreTokenizer> Read(JsonField step)
    {
        var type = step["type"];
        return type.Text() switch
        {
            "Split" => [Split(step, Pattern(step["pattern"]), Behavior(step["behavior"]), step["invert"].Flag(false))],
            "Digits" => [Split(step, step["individual_digits"].Flag(false) ? @"\p{N}" : @"\p{N}+")],
            "Punctuation" => [Split(step, Punctuation, step["behavior"].Present ? Behavior(step["behavior"]) : SplitBehavior.Isolated)],
            "Whitespace" => [Split(step, WordsAndSigns, SplitBehavior.Removed, invert: true)],
            "WhitespaceSplit" => [Split(step, @"\s", SplitBehavior.Removed)],
            "BertPreTokenizer" => [Split(step, @"\s", SplitBehavior.Removed), Split(step, Punctuation)],
            "CharDelimiterSplit" => [Split(step, Regex.Escape(Character(step["delimiter"])), SplitBehavior.Removed)],
            "ByteLevel" =>
            [
                new PreTokenizer.SpellBytes(
                    step["add_prefix_space"].Flag(true),
                    step["use_regex"].Flag(true) ? Split(step, SplitPatterns.Gpt2) : null
                ),
            ],
            "Metaspace" => [new PreTokenizer.Metaspace(Character(step["replacement"]), Scheme(step), step["split"].Flag(true))],
            _ => throw type.Unsupported(
                "the pre-tokenizers Split, ByteLevel, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, "
                    + "CharDelimiterSplit and a Sequence of them"
            ),
        };
    }

    /// <summary>Where a Metaspace puts its mark.</summary>
    public static PrefixScheme Scheme(JsonField step)
    {
        var scheme = step["prepend_scheme"];
        if (!scheme.Present) // as written before there were three schemes
            return step["add_prefix_space"].Flag(true) ? PrefixScheme.Always : PrefixScheme.Never;
        return scheme.Text() switch
        {
            "always" => PrefixScheme.Always,
            "first" => PrefixScheme.First,
            "never" => PrefixScheme.Never,
            _ => throw scheme.Unsupported("\"always\", \"first\" or \"never\""),
        };
    }

    /// <summary>A text of one character.</summary>
    public static string Character(JsonField field) =>
        field.Text() is { Length: 1 } character ? character : throw field.Unsupported("one character");

    private static PreTokenizer.Split Split(
        JsonField step,
        string pattern,
        SplitBehavior behavior = SplitBehavior.Isolated,
        bool invert = false
    ) => new(pattern, step.Source, behavior, invert);

    private static string Pattern(JsonField pattern) =>
        pattern["String"].Present ? Regex.Escape(TokenizerJsonReader.NotEmpty(pattern["String"])) : pattern["Regex"].Text();

    private static SplitBehavior Behavior(JsonField field) =>
        Enum.TryParse<SplitBehavior>(field.Text(), out var behavior) && behavior.ToString() == field.Text()
            ? behavior
            : throw field.Unsupported($"one of {string.Join(", ", Enum.GetNames<SplitBehavior>())}");
}
