namespace LookaheadKV.Evaluation;

/// <summary>A policy against the baseline, by one measure at one budget.</summary>
/// <param name="Policy">The policy's name.</param>
/// <param name="Budget">The budget as written.</param>
/// <param name="Measure">What was measured: a name of <see cref="PairedTable.Measures"/>.</param>
/// <param name="Difference">Policy − baseline, prompt by prompt.</param>
/// <param name="Sentence">What it says.</param>
public sealed record PairedRow(string Policy, string Budget, string Measure, PairedDifference Difference, string Sentence);

/// <summary>Policies against one of them on the same prompts: prompts differ more than policies do, so that only differences within a prompt settle anything.</summary>
public static class PairedTable
{
    private static readonly (string Name, Func<PromptResult, double?> Value)[] Values =
    [
        ("score", result => result.Score),
        ("KL", result => result.Fidelity?.Divergence),
        ("equal argmax", result => result.Fidelity?.EqualArgmax),
        ("lost log-likelihood", result => result.Fidelity?.LostLogLikelihood),
        ("kept attention", result => result.Fidelity?.KeptAttention),
    ];

    /// <summary>Names of the measures, in the order of the rows.</summary>
    public static IReadOnlyList<string> Measures { get; } = [.. Values.Select(value => value.Name)];

    /// <summary>Every other policy against the baseline at the same budget, by every measure that both have.</summary>
    /// <param name="results">Results of single prompts.</param>
    /// <param name="baseline">The baseline's name; the full cache has one budget and is held against all.</param>
    /// <param name="seed">Seed of the bootstrap.</param>
    /// <exception cref="InputException">No result is the baseline's.</exception>
    public static IReadOnlyList<PairedRow> Against(IReadOnlyList<PromptResult> results, string baseline, long seed = 0)
    {
        var others = results.Where(result => result.Policy == baseline).ToLookup(result => (result.Task, result.Sample, result.Budget));
        if (others.Count == 0)
            throw new InputException(
                $"baseline {baseline} is none of the policies; name one of {string.Join(", ", results.Select(result => result.Policy).Distinct())}."
            );
        return
        [
            .. from cell in results.Where(r => r.Policy != baseline && r.Budget is not null).GroupBy(r => (r.Policy, r.Budget))
            from measure in Values
            let pairs = Pairs(cell, measure.Value).ToList()
            where pairs.Count > 0
            let difference = PairedDifference.Of([.. pairs.Select(p => p.Value)], [.. pairs.Select(p => p.Other)], seed)
            select new PairedRow(
                cell.Key.Policy,
                cell.Key.Budget!,
                measure.Name,
                difference,
                difference.Sentence($"{measure.Name} at {cell.Key.Budget}", cell.Key.Policy, baseline)
            ),
        ];

        IEnumerable<(double Value, double Other)> Pairs(IEnumerable<PromptResult> cell, Func<PromptResult, double?> value) =>
            from result in cell
            from other in others[(result.Task, result.Sample, result.Budget)].Concat(others[(result.Task, result.Sample, null)]).Take(1)
            let mine = value(result)
            let theirs = value(other)
            where mine.HasValue && theirs.HasValue
            select (mine.GetValueOrDefault(), theirs.GetValueOrDefault());
    }

    /// <summary>What is settled and what is not, a sentence for each measure and budget.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="baseline">The baseline's name.</param>
    /// <param name="measures">The measures to speak of.</param>
    public static IEnumerable<string> Summary(
        IReadOnlyList<PairedRow> rows,
        string baseline,
        params IReadOnlyCollection<string> measures
    ) =>
        from cell in rows.Where(row => measures.Contains(row.Measure)).GroupBy(row => (row.Measure, row.Budget))
        let parts = new (string Name, IEnumerable<PairedRow> Rows)[]
        {
            ("below", cell.Where(row => row.Difference is { IsSettled: true, Mean: < 0 })),
            ("above", cell.Where(row => row.Difference is { IsSettled: true, Mean: > 0 })),
            ("not settled", cell.Where(row => !row.Difference.IsSettled)),
        }
        let said = parts
            .Where(part => part.Rows.Any())
            .Select(part => $"{part.Name} {string.Join(", ", part.Rows.Select(row => $"{row.Policy} {row.Difference}"))}")
        select $"{cell.Key.Measure} at {cell.Key.Budget} against {baseline}, {cell.Max(row => row.Difference.Prompts)} prompts: {string.Join("; ", said)}.";
}
