namespace LookaheadKV;

/// <summary>
/// Which half of the world's randomness a text is drawn from. The split is hashed into every random stream, so no seed, however chosen,
/// makes an evaluation text out of the numbers that made a training text.
/// </summary>
public enum Split
{
    /// <summary>Texts that models and lookahead modules may be trained on.</summary>
    Training,

    /// <summary>Held-out texts: everything that is reported is measured on these.</summary>
    Evaluation,

    /// <summary>The text the tokenizer is trained on.</summary>
    Tokenizer,
}
