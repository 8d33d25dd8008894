using LookaheadKV.Evaluation.Metrics;

namespace LookaheadKV.Evaluation.Ruler;

/// <summary>Variable tracking: a chain of assignments, each from the one before, scattered over dull sentences; asked is who has the value.</summary>
internal static class VariableTask
{
    private const int Hops = 4;
    private const int NameLetters = 5;

    // A worked example with shorter names comes first.
    private const int ExampleNameLetters = 3;
    private const int ExampleUnits = 15;

    public static RulerDraft Draft(RandomStream random)
    {
        var example = Chain.Draw(random, ExampleNameLetters);
        var chain = Chain.Draw(random, NameLetters);
        var solved = $"{example.Context(ExampleUnits)}{example.Question}{example.AnswerPrefix} {string.Join(' ', example.Variables)}";
        return new(
            Least: 1,
            Most: int.MaxValue,
            units => $"{solved}\n\n{chain.Context(units)}",
            chain.Question,
            chain.AnswerPrefix,
            chain.Variables,
            StringMatch.All,
            MaxNewTokens: 30
        );
    }

    private sealed record Chain(IReadOnlyList<string> Variables, string Value, IReadOnlyList<(double Depth, string Text)> Assignments)
    {
        private readonly Haystack _noise = Haystack.Repeated();

        public string AnswerPrefix =>
            $" Answer: By the assignments in the text above, these {Variables.Count} variables have the value {Value}:";

        public static Chain Draw(RandomStream random, int letters)
        {
            var taken = new HashSet<string>();
            string[] variables =
            [
                .. Enumerable.Range(0, Hops + 1).Select(_ => RulerWords.Fresh(taken, () => RulerWords.Letters(random, letters, 'A'))),
            ];
            var value = random.Between(10_000, 99_999).ToString();
            // Depths rise along the chain, so no variable is read before it is set.
            double[] depths = [.. variables.Select(_ => random.Unit()).Order()];
            return new(
                variables,
                value,
                [.. variables.Select((name, i) => (depths[i], $"SET {name} = {(i == 0 ? value : $"VALUE OF {variables[i - 1]}")}."))]
            );
        }

        public string Question => $"\nQuestion: Which variables have the value {Value} after the text above?";

        public string Context(int units) =>
            $"A chain of assignments to variables is hidden in the text below. Remember and follow it.\n\n{_noise.Weave(units, " ", Assignments)}";
    }
}
