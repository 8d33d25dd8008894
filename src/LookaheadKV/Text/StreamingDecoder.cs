namespace LookaheadKV.Text;

/// <summary>
/// Turns tokens into text as they come. What it returns, in a row, is what <see cref="Tokenizer.Decode"/> gives for all of them at once,
/// and no return ends within a character: bytes wait until the tokens behind them complete it.
/// </summary>
public sealed class StreamingDecoder
{
    private readonly Tokenizer tokenizer;
    private readonly bool skipSpecial;
    private TokenDecoder.Run[] steps;

    /// <summary>Starts a text.</summary>
    /// <param name="tokenizer">The tokenizer of the ids.</param>
    /// <param name="skipSpecial">Leave control tokens out instead of writing their text.</param>
    public StreamingDecoder(Tokenizer tokenizer, bool skipSpecial = false)
    {
        (this.tokenizer, this.skipSpecial) = (tokenizer, skipSpecial);
        steps = Steps();
    }

    /// <summary>The text that one more token completes, often its own; empty while a character is not whole.</summary>
    /// <exception cref="InputException">The id has no token.</exception>
    public string Add(int id)
    {
        var token = tokenizer.Piece(id);
        return skipSpecial && tokenizer.ControlToken(id) is not null ? "" : Text([token], from: 0);
    }

    /// <summary>What is left at the end: U+FFFD for bytes that never became a character. The decoder then starts anew.</summary>
    public string Finish()
    {
        var rest = string.Concat(steps.Index().Select(step => Text(step.Item.Finish(), step.Index + 1)).ToArray());
        steps = Steps();
        return rest;
    }

    private TokenDecoder.Run[] Steps() => [.. tokenizer.Definition.Rules.Decoders.Select(step => step.Start())];

    /// <summary>What becomes of tokens in the steps from one on.</summary>
    private string Text(IEnumerable<string> tokens, int from)
    {
        for (var step = from; step < steps.Length; step++)
            tokens = [.. tokens.SelectMany(steps[step].Add)];
        return string.Concat(tokens);
    }
}
