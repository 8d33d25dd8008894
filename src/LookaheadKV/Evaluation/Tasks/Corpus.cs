namespace LookaheadKV.Evaluation.Tasks;

/// <summary>The text that the tokenizer is trained on.</summary>
public static class Corpus
{
    /// <summary>
    /// Prompts with their answers, of all tasks, without special tokens, until there are at least <paramref name="characters"/> characters.
    /// A few hundred thousand characters hold every word of the world many times.
    /// </summary>
    public static IEnumerable<string> Text(long seed, long characters)
    {
        const int Length = 512;
        // Lengths in pieces: a tokenizer that knows all words makes one token of each.
        var pieces = new PieceEncoder(static _ => [0]);
        for (long index = 0, written = 0; written < characters; index++)
        {
            var task = TaskNames.All[(int)(index % TaskNames.All.Count)];
            var sample = TaskGenerators.Generate(task, Length, seed, index, pieces, Split.Tokenizer);
            var text = $"{sample.Prompt[Templates.Begin.Length..]}{sample.Answer}\n";
            written += text.Length;
            yield return text;
        }
    }
}
