namespace LookaheadKV.Checkpoints;

/// <summary>The regular expressions that cut a text into pre-tokens, pieces that byte-pair merges never cross.</summary>
public static class SplitPatterns
{
    /// <summary>GPT-2's pattern: a leading space joins a word, a number or a run of signs; runs of digits stay whole.</summary>
    public const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>Qwen2's pattern: any one sign or space joins the word after it, every digit is a piece of its own.</summary>
    public const string Qwen2 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
}
