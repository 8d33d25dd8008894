using LookaheadKV.Budgeting;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using LookaheadKV.Text;
using static TorchSharp.torch;

namespace LookaheadKV.Evaluation;

/// <summary>Everything one may want to look at in one prompt.</summary>
/// <param name="Sample">The prompt and its answer.</param>
/// <param name="Tokens">Surface text of each prompt token, N.</param>
/// <param name="TrueImportance">s_true [L,H,N].</param>
/// <param name="Predicted">Lookahead scores [L,H,N]; null without modules.</param>
/// <param name="Kept">What each policy keeps: policy → [L][G] positions, increasing.</param>
/// <param name="Budget">The budget behind <paramref name="Kept"/>.</param>
public sealed record Anatomy(
    TaskSample Sample,
    IReadOnlyList<string> Tokens,
    float[,,] TrueImportance,
    float[,,]? Predicted,
    IReadOnlyDictionary<string, int[][][]> Kept,
    string Budget
)
{
    /// <summary>The same prompt with the kept sets of some policies alone.</summary>
    /// <param name="policies">Their names, each among <see cref="Kept"/>.</param>
    public Anatomy Only(IEnumerable<string> policies) =>
        this with
        {
            Kept = policies.Distinct().ToDictionary(policy => policy, policy => Kept[policy]),
        };
}

/// <summary>Looks into one prompt: importance, true and predicted, and what policies keep.</summary>
public static class Inspection
{
    /// <summary>Prefills a prompt once and reads off everything.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="sample">The prompt.</param>
    /// <param name="policies">Policies whose kept sets are wanted; the first one with a lookahead scorer gives the prediction.</param>
    /// <param name="budget">At which budget.</param>
    public static Anatomy Inspect(
        Decoder decoder,
        Tokenizer tokenizer,
        TaskSample sample,
        IReadOnlyList<EvictionPolicy> policies,
        Budget budget
    )
    {
        using var scope = NewDisposeScope();
        using var trace = new PromptTrace(decoder, sample.PromptIds, sample.AnswerIds);
        var lookahead = policies.Select(p => p.Scorer).OfType<LookaheadScore>().FirstOrDefault();
        return new Anatomy(
            sample,
            [.. sample.PromptIds.Select(tokenizer.Token)],
            PerHead(Importance(trace, new Oracle())),
            lookahead is null ? null : PerHead(Importance(trace, lookahead)),
            policies.Where(p => p.Scorer is not null).ToDictionary(p => p.Name, p => Kept(decoder, trace, p, budget)),
            budget.ToString()
        );
    }

    /// <summary>An observer's importance of every layer and query head, before grouping and pooling: [L,H,N] (float32).</summary>
    public static Tensor Importance(PromptTrace trace, IObserverScorer scorer)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var layers = new List<Tensor>();
        trace.Observe(
            scorer.Observe(trace.Context),
            (layer, prompt, rows) => layers.Add(scorer.Score(layer, prompt, rows).MoveToOtherDisposeScope(scope))
        );
        return cat([.. layers], 0).MoveToOuterDisposeScope(); // L × [1,H,N] → [L,H,N]
    }

    private static int[][][] Kept(Decoder decoder, PromptTrace trace, EvictionPolicy policy, Budget budget)
    {
        using var scope = NewDisposeScope();
        var length = trace.Prompt.Count;
        var entries = budget.EntriesFor(length, decoder.Config, Session.ElementSize(decoder), policy.Protection.Count(length));
        var sets = PromptEviction.Select(policy, trace.Scores(policy, entries / decoder.Config.Layers), entries);
        var kept = sets.Select(set => (int[][])[.. set.ToArrays().Select(head => Array.ConvertAll(head, p => (int)p))]).ToArray();
        foreach (var set in sets)
            set.Dispose();
        return kept;
    }

    private static float[,,] PerHead(Tensor importance)
    {
        using var cpu = importance.cpu().contiguous();
        var values = new float[cpu.size(0), cpu.size(1), cpu.size(2)];
        Buffer.BlockCopy(cpu.data<float>().ToArray(), 0, values, 0, values.Length * sizeof(float));
        return values;
    }
}
