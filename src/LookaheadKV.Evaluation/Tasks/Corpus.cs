namespace LookaheadKV.Evaluation.Tasks;

/// <summary>The text that the tokenizer is trained on.</summary>
public static class Corpus
{
    /// <summary>
    /// Every word twice in a listing, so that a pair trainer joins even the rare ones, then prompts of all tasks with their answers,
    /// without special tokens, until there are at least <paramref name="characters"/> characters.
    /// </summary>
    /// <param name="seed">Names the texts.</param>
    /// <param name="characters">How many characters at least; from 300,000 on, every word becomes one token of a vocabulary of 2,048.</param>
    public static IEnumerable<string> Text(long seed, long characters)
    {
        const int Length = 512;
        // Lengths in pieces: a tokenizer that knows all words makes one token of each.
        var pieces = new PieceEncoder(static _ => [0]);
        var words = string.Concat(Lexicon.Words.Concat(Filler.Words).Select(static word => " " + word));
        yield return words;
        yield return words;
        for (long index = 0, written = 2 * words.Length; written < characters; index++)
        {
            var task = TaskNames.All[(int)(index % TaskNames.All.Count)];
            var sample = TaskGenerators.Generate(task, Length, seed, index, pieces, Split.Tokenizer);
            var text = $"{sample.Prompt[Templates.Begin.Length..]}{sample.Answer}\n";
            written += text.Length;
            yield return text;
        }
    }
}
