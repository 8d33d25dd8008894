using LookaheadKV.Evaluation.Metrics;

namespace LookaheadKV.Evaluation.Ruler;

/// <summary>Question answering: the documents that hold the answer among many that do not, in random order.</summary>
internal static class QuestionTask
{
    private const string Instruction = "Answer the question from the documents. Give the answer alone, without any other words.";

    /// <param name="file">The questions.</param>
    /// <param name="index">Which question of the order that the seed shuffles them into; after the last one comes the first again.</param>
    /// <param name="order">Decides the order of the questions; the same for every index.</param>
    /// <param name="random">Decides everything else.</param>
    public static RulerDraft Draft(QuestionFile file, long index, RandomStream order, RandomStream random)
    {
        int[] numbers = [.. Enumerable.Range(0, file.Questions.Count)];
        order.Shuffle(numbers.AsSpan());
        var question = file.Questions[numbers[index % numbers.Length]];
        int[] near = [.. question.Near];
        int[] far = [.. Enumerable.Range(0, file.Documents.Count).Except(question.Gold).Except(near)];
        random.Shuffle(near.AsSpan());
        random.Shuffle(far.AsSpan());
        int[] all = [.. question.Gold, .. near, .. far];
        double[] depths = [.. all.Select(_ => random.Unit())];
        return new(
            Least: 0,
            Most: near.Length + far.Length,
            units => $"{Instruction}\n\nThese are the documents.\n\n{Documents(units)}",
            $"\n\n{Instruction}\n\nQuestion: {question.Text}",
            " Answer:",
            question.Answers,
            StringMatch.Part,
            MaxNewTokens: 32
        );

        string Documents(int units) =>
            string.Join(
                "\n\n",
                Enumerable
                    .Range(0, question.Gold.Count + units)
                    .OrderBy(i => depths[i])
                    .Select((i, place) => $"Document {place + 1}:\n{file.Documents[all[i]]}")
            );
    }
}
