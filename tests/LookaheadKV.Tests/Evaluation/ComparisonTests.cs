using LookaheadKV.Budgeting;
using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Samples;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Methods;
using LookaheadKV.Tests.Models;
using Xunit;

namespace LookaheadKV.Tests.Evaluation;

/// <summary>What a comparison measures on prompts from anywhere is what a session gives.</summary>
public class ComparisonTests
{
    private const int AnswerTokens = 5;

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void ScoresAreThoseOfTheAnswersThatSessionsGenerate(int questionTokens)
    {
        using var decoder = TinyDecoder.Create();
        var policies = new[] { RandomScore.Policy(1), StreamingLlm.Policy(2), KeyNorm.Method.Policy() };
        var options = new CompareOptions
        {
            Policies = policies,
            Budgets = [Budget.Tokens(4), Budget.Tokens(8)],
            Samples = 6,
        };
        int[][] prompts = [.. Enumerable.Range(0, 6).Select(seed => Prompt(seed))];
        // A score that tells every answer from every other.
        var results = Comparison.Run(decoder, [Source("told", 4), Source("again", 1)], options);

        // Sample by sample over the sources, until each has no more.
        Assert.Equal(["told", "again", "told", "told", "told"], results.Where(r => r.Budget is null).Select(r => r.Task));
        Assert.Equal(5 * (1 + 3 * 2), results.Count);
        Assert.True(results.Select(r => r.Score).Distinct().Count() > 4);
        foreach (var result in results)
        {
            var policy = result.Budget is { } budget
                ? policies.Single(p => p.Name == result.Policy).With(Budget.Parse(budget))
                : EvictionPolicy.Full;
            var (scored, question) = (prompts[result.Sample][questionTokens..], prompts[result.Sample][..questionTokens]);
            using var session = Session.Start(decoder, scored, policy, reserve: 8);
            int[] answer = questionTokens == 0 ? [.. session.Generate(AnswerTokens)] : session.Ask(question, AnswerTokens);
            Assert.Equal(Value(answer), result.Score!.Value, 1e-12);
            Assert.Equal(result.Budget is null ? "full" : result.Policy, result.Method);
        }

        PromptSource Source(string task, int count) =>
            new(
                task,
                count,
                index => new MeasuredPrompt(Sample(task), prompts[index][questionTokens..], prompts[index][..questionTokens], Told)
            );
    }

    [Fact]
    public void APromptThatDoesNotFitTheModelIsRefused()
    {
        using var decoder = TinyDecoder.Create();
        var options = new CompareOptions
        {
            Policies = [RandomScore.Policy(1)],
            Budgets = [Budget.Tokens(4)],
            Samples = 1,
        };
        var source = new PromptSource(
            "long",
            1,
            _ => new MeasuredPrompt(Sample("long"), [.. Enumerable.Repeat(1, TinyDecoder.Config.MaxPositions)], [], Told)
        );
        var error = Assert.Throws<InputException>(() => Comparison.Run(decoder, [source], options)).Message;
        Assert.Contains($"a long prompt with its answer takes {TinyDecoder.Config.MaxPositions + AnswerTokens} tokens", error);
    }

    private static EvaluationSample Sample(string task) =>
        new(task, "", ["x"], (prediction, _) => Value([.. prediction.Split(' ').Select(int.Parse)]), AnswerTokens);

    private static double Value(int[] answer) => answer.Aggregate(0.5, (value, id) => (value + id + 1) / 15);

    private static string Told(IReadOnlyList<int> ids) => string.Join(' ', ids);

    private static int[] Prompt(int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, 14).Select(_ => random.Next(1, 13))];
    }
}
