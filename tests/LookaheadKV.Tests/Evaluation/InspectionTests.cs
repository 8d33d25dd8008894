using LookaheadKV.Budgeting;
using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Tests.Models;
using LookaheadKV.Text;
using LookaheadKV.Training;
using TorchSharp;
using Xunit;

namespace LookaheadKV.Tests.Evaluation;

/// <summary>What is read off a prompt is what sessions keep and what training aims at.</summary>
public sealed class InspectionTests
{
    private static readonly int[] Prompt = [4, 7, 1, 9, 3, 2, 8, 8];
    private static readonly Tokenizer Tokenizer = new(LookaheadKV.Tests.Text.Samples.Definition);

    [Fact]
    public void An_anatomy_has_importance_by_head_and_what_each_policy_keeps()
    {
        using var decoder = TinyDecoder.Create();
        using var module = LookaheadModule.Create(decoder.Config, new() { Tokens = 3, Rank = 2 }, seed: 1);
        EvictionPolicy[] policies = [EvictionPolicy.Full, SnapKV.Policy(2), LookaheadMethod.Policy(module), StreamingLlm.Policy(1)];
        var sample = new TaskSample("t", "prompt", " answer", Prompt, [5, 0]);
        var anatomy = Inspection.Inspect(decoder, Tokenizer, sample, policies, Budget.Tokens(3));
        Assert.Same(sample, anatomy.Sample);
        Assert.Equal("3", anatomy.Budget);
        Assert.Equal(Prompt.Select(Tokenizer.Token), anatomy.Tokens);

        using var scope = torch.NewDisposeScope();
        var response = Session.GreedyResponse(decoder, Prompt, cancellation: TestContext.Current.CancellationToken);
        using var target = LookaheadTarget.Compute(decoder, [Prompt], [response]);
        Assert.Equal([2, 4, 8], Enumerable.Range(0, 3).Select(anatomy.TrueImportance.GetLength));
        for (var layer = 0; layer < 2; layer++)
        for (var head = 0; head < 4; head++)
        for (var at = 0; at < 8; at++)
            Assert.Equal(target.Importance[layer][0, head, at].item<float>(), anatomy.TrueImportance[layer, head, at], 1e-5f);

        // Predicted importance is that which the training's loss compares.
        using var trace = new PromptTrace(decoder, Prompt);
        var predicted = Inspection.Importance(trace, new LookaheadScore(module));
        Assert.Equal([2, 4, 8], predicted.shape);
        Assert.Equal(predicted.data<float>().ToArray(), anatomy.Predicted!.Cast<float>());

        Assert.Equal(["snapkv", "lookahead", "streaming"], anatomy.Kept.Keys);
        foreach (var policy in policies.Skip(1))
        {
            using var session = Session.Start(decoder, Prompt, policy.With(Budget.Tokens(3)), reserve: 0);
            var kept = session.KeptPositions(policy).Layers;
            Assert.Equal(
                kept.Select(heads => heads.Select(head => string.Join(' ', head))),
                anatomy.Kept[policy.Name].Select(heads => heads.Select(head => string.Join(' ', head)))
            );
        }
    }

    [Fact]
    public void Without_modules_nothing_is_predicted_and_nothing_is_left_behind()
    {
        using var decoder = TinyDecoder.Create();
        Assert.Null(Use().Predicted);
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        Anatomy Use() =>
            Inspection.Inspect(
                decoder,
                Tokenizer,
                new("t", "prompt", " answer", Prompt, [5, 0]),
                [SnapKV.Policy(2), KeyDiff.Method.Policy()],
                Budget.Tokens(3)
            );
    }
}
