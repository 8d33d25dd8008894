using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Scoring;
using LookaheadKV.Tests.Models;
using Xunit;

namespace LookaheadKV.Tests.Methods;

/// <summary>Each named policy beside the table of its paper: what scores, what is smoothed, what is protected, who shares.</summary>
public sealed class PoliciesTests
{
    private static void Is(
        EvictionPolicy policy,
        string name,
        IScorer? scorer,
        GroupReduction group = GroupReduction.Mean,
        Pooling? pooling = null,
        int first = 0,
        int last = 0,
        LayerAllocation? layers = null,
        HeadAllocation? heads = null
    )
    {
        Assert.Equal(name, policy.Name);
        Assert.Equal(scorer, policy.Scorer);
        Assert.Equal(group, policy.Group);
        Assert.Equal(pooling ?? Pooling.None, policy.Pooling);
        Assert.Equal(new Protection(first, last), policy.Protection);
        Assert.Equal(layers ?? LayerAllocation.Uniform, policy.Layers);
        Assert.Equal(heads ?? HeadAllocation.Uniform, policy.Heads);
        Assert.Null(policy.Budget);
    }

    [Fact]
    public void Named_policies_have_the_defaults_of_their_papers()
    {
        using var draft = TinyDecoder.Create();
        using var module = LookaheadModule.Create(TinyDecoder.Config, new() { Tokens = 4, Rank = 2 }, seed: 1);
        Is(Policies.Full, "full", null);
        Is(Policies.Oracle, "oracle", new Oracle());
        Is(Policies.Random(7), "random", new RandomScore(7));
        Is(Policies.Random(), "random", new RandomScore(0));
        Is(Policies.Streaming(), "streaming", new StreamingLlm(), first: 4);
        Is(Policies.Streaming(2), "streaming", new StreamingLlm(), first: 2);
        Is(Policies.H2O(), "h2o", new H2O(), last: 8);
        Is(Policies.H2O(3), "h2o", new H2O(), last: 3);
        Is(Policies.Tova, "tova", new Tova(), last: 1);
        Is(Policies.SnapKV(), "snapkv", new SnapKV(32), pooling: Pooling.Max(7), last: 32);
        Is(Policies.SnapKV(5), "snapkv", new SnapKV(5), pooling: Pooling.Max(7), last: 5);
        Is(Policies.PyramidKV(), "pyramidkv", new SnapKV(32), pooling: Pooling.Max(7), last: 32, layers: new LayerAllocation.Pyramid(20));
        Is(Policies.AdaKV(), "adakv", new SnapKV(32), pooling: Pooling.Max(7), last: 32, heads: new HeadAllocation.Adaptive(0.2));
        Is(Policies.KeyNorm, "keynorm", new KeyNorm());
        Is(Policies.KeyDiff, "keydiff", new KeyDiff());
        Is(Policies.Expected(), "expected", new ExpectedAttention(512, 4), first: 4);
        Is(Policies.Expected(9), "expected", new ExpectedAttention(9, 4), first: 4);
        Is(Policies.KVzip(), "kvzip", Policies.KVzip().Scorer, GroupReduction.Max, layers: new LayerAllocation.Global());
        Assert.Equal(2048, Assert.IsType<KVzip>(Policies.KVzip().Scorer).Chunk);
        Assert.Equal(9, Assert.IsType<KVzip>(Policies.KVzip(9).Scorer).Chunk);
        Is(Policies.Laq(), "laq", new Laq(32, 8), pooling: Pooling.Max(7), last: 8);
        Is(Policies.Laq(3, 4), "laq", new Laq(3, 4), pooling: Pooling.Max(7), last: 4);
        Is(Policies.SpecKV(draft), "speckv", new SpecKV(draft, 32, 32), GroupReduction.Max, Pooling.Max(7), last: 32);
        Is(Policies.SpecKV(draft, 3, 4), "speckv", new SpecKV(draft, 3, 4), GroupReduction.Max, Pooling.Max(7), last: 4);
        Is(Policies.Lookahead(module), "lookahead", new LookaheadScore(module));
    }

    [Fact]
    public void Every_scorer_has_the_name_of_its_method()
    {
        foreach (
            var policy in new[]
            {
                Policies.Oracle,
                Policies.Random(),
                Policies.Streaming(),
                Policies.H2O(),
                Policies.Tova,
                Policies.SnapKV(),
            }
        )
            Assert.Equal(policy.Name, policy.Scorer!.Name);
    }

    [Fact]
    public void Some_methods_wait_for_the_whole_prompt()
    {
        EvictionPolicy[] waiting = [Policies.KVzip(), Policies.Laq(), Policies.SnapKV() with { Layers = new LayerAllocation.Global() }];
        Assert.All(waiting, policy => Assert.True(policy.NeedsWholePrompt));
        Assert.True((Policies.KVzip() with { Layers = LayerAllocation.Uniform }).NeedsWholePrompt);
        EvictionPolicy[] others = [Policies.Full, Policies.SnapKV(), Policies.PyramidKV(), Policies.AdaKV(), Policies.Oracle];
        Assert.All(others, policy => Assert.False(policy.NeedsWholePrompt));
    }

    [Fact]
    public void A_budget_changes_nothing_else()
    {
        var policy = Policies.SnapKV().With(Budget.Tokens(5));
        Assert.Equal(Budget.Tokens(5), policy.Budget);
        Assert.Equal(Policies.SnapKV(), policy with { Budget = null });
    }
}
