using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Scoring;
using LookaheadKV.Tests.Models;
using Xunit;

namespace LookaheadKV.Tests.Methods;

public class PolicyTextTests
{
    private static EvictionPolicy Build(string text, long seed = 0) => PolicyText.Parse(text).Build(new PolicyParts(Seed: seed));

    [Fact]
    public void Without_options_a_policy_is_the_named_one()
    {
        Assert.Equal(EvictionPolicy.Full, Build("full"));
        Assert.Equal(RandomScore.Policy(5), Build("random", seed: 5));
        Assert.Equal(StreamingLlm.Policy(), Build("streaming"));
        Assert.Equal(SnapKV.Policy(), Build("snapkv"));
        Assert.Equal(Oracle.Method.Policy(), Build("oracle"));
    }

    [Fact]
    public void Options_change_what_they_name_and_nothing_else()
    {
        var snap = SnapKV.Policy();
        Assert.Equal(
            snap with
            {
                Name = "snapkv[window=16,pool=mean:5]",
                Scorer = new SnapKV(16),
                Pooling = Pooling.Mean(5),
                Protection = new Protection(0, 16),
            },
            Build("snapkv[window=16, pool=mean:5]")
        );
        Assert.Equal(snap with { Name = "snapkv[pool=none]", Pooling = Pooling.None }, Build("snapkv[pool=none]"));
        Assert.Equal(
            Oracle.Method.Policy() with
            {
                Name = "oracle[group=max,sinks=4,window=32]",
                Group = GroupReduction.Max,
                Protection = new Protection(4, 32),
            },
            Build("oracle[group=max,sinks=4,window=32]")
        );
        Assert.Equal(StreamingLlm.Policy(2) with { Name = "streaming[sinks=2]" }, Build("streaming[sinks=2]"));
        Assert.Equal(new RandomScore(3), Build("random[seed=3]", seed: 9).Scorer);
    }

    [Fact]
    public void Commas_within_brackets_do_not_split_a_list()
    {
        var names = PolicyText.ParseList("full, snapkv[window=16,pool=max:7],random[seed=1] ,oracle").Select(policy => policy.Name);
        Assert.Equal(["full", "snapkv[window=16,pool=max:7]", "random[seed=1]", "oracle"], names);
    }

    [Fact]
    public void Every_method_is_the_policy_of_its_name()
    {
        using var draft = TinyDecoder.Create();
        using var module = LookaheadModule.Create(TinyDecoder.Config, new() { Tokens = 4, Rank = 2 }, seed: 1);
        var parts = new PolicyParts(() => module, () => draft, Seed: 6);
        EvictionPolicy[] policies =
        [
            EvictionPolicy.Full,
            RandomScore.Policy(6),
            StreamingLlm.Policy(),
            H2O.Policy(),
            Tova.Method.Policy(),
            SnapKV.Policy(),
            PyramidKV.Method.Policy(),
            AdaKV.Method.Policy(),
            KeyNorm.Method.Policy(),
            KeyDiff.Method.Policy(),
            ExpectedAttention.Policy(),
            KVzip.Policy(),
            Laq.Policy(),
            SpecKV.Policy(draft),
            LookaheadMethod.Policy(module),
            Oracle.Method.Policy(),
        ];
        Assert.Equal(policies.Select(policy => policy.Name), Catalogue.Names.Intersect(policies.Select(policy => policy.Name)));
        foreach (var policy in policies)
        {
            var text = PolicyText.Parse(policy.Name);
            Assert.Equal(policy, text.Build(parts));
            Assert.Equal((policy.Name == "lookahead", policy.Name == "speckv"), (text.NeedsModule, text.NeedsDraft));
        }
    }

    [Fact]
    public void Options_of_single_methods_reach_their_scorers()
    {
        using var draft = TinyDecoder.Create();
        var parts = new PolicyParts(() => throw new InvalidOperationException(), () => draft);
        IScorer? Scorer(string text) => PolicyText.Parse(text).Build(parts).Scorer;
        Assert.Equal(new ExpectedAttention(9), Scorer("expected[horizon=9]"));
        Assert.Equal(5, Assert.IsType<KVzip>(Scorer("kvzip[chunk=5]")).Chunk);
        Assert.Equal(new Laq(3, 4), Scorer("laq[tokens=3,window=4]"));
        Assert.Equal(new SpecKV(draft, 3, 4), Scorer("speckv[tokens=3,window=4]"));
        Assert.Equal(new SnapKV(4), Scorer("pyramidkv[window=4]"));
        Assert.Equal(new SnapKV(4), Scorer("adakv[window=4]"));
        Assert.Equal(new RandomScore(-3), Scorer("random[seed=-3]"));
        Assert.Equal(new H2O(), Scorer("h2o[window=4]")); // protection alone
        Assert.Equal(Protection.LastTokens(4), Build("h2o[window=4]").Protection);
        Assert.Equal(new Protection(3, 0), Build("h2o[window=0,sinks=3]").Protection);
    }

    [Fact]
    public void Allocations_and_positions_are_read()
    {
        Assert.Equal(new LayerAllocation.Pyramid(), Build("random[layers=pyramid]").Layers);
        Assert.Equal(new LayerAllocation.Pyramid(1), Build("random[layers=pyramid:1]").Layers);
        Assert.Equal(new LayerAllocation.Pyramid(2.5), Build("random[layers=pyramid:2.5]").Layers);
        Assert.Equal(new LayerAllocation.Global(), Build("random[layers=global]").Layers);
        Assert.Equal(LayerAllocation.Uniform, Build("pyramidkv[layers=uniform]").Layers);
        Assert.Equal(new HeadAllocation.Adaptive(), Build("random[heads=adaptive]").Heads);
        Assert.Equal(new HeadAllocation.Adaptive(0), Build("random[heads=adaptive:0]").Heads);
        Assert.Equal(new HeadAllocation.Adaptive(1), Build("random[heads=adaptive:1]").Heads);
        Assert.Equal(HeadAllocation.Uniform, Build("adakv[heads=uniform]").Heads);
        Assert.Equal(new HeadAllocation.Adaptive(0.5), Build("kvzip[layers=uniform,heads=adaptive:0.5]").Heads);
        Assert.Equal(new HeadAllocation.Adaptive(), Build("kvzip[layers=pyramid,heads=adaptive]").Heads);
        Assert.Equal(GroupReduction.Mean, Build("kvzip[group=mean]").Group);
        Assert.Equal([3, 10, 11, 12], Build("random[protect=10-12+3+11]").Protection.Given);
        Assert.Equal([0], Build("random[protect=0]").Protection.Given);
        Assert.Equal([0, 1, 2], Build("random[protect=0-2]").Protection.Given);
        Assert.Equal(Pooling.Max(5), Build("random[pool=max:5]").Pooling);
        Assert.Equal(Pooling.Mean(1), Build("snapkv[pool=mean:1]").Pooling);
        Assert.Equal([7], Build("random[protect=7-7]").Protection.Given);
        Assert.Equal(Protection.Positions(3) with { Last = 32 }, Build("snapkv[protect=3]").Protection);
    }

    [Fact]
    public void White_space_and_empty_options_do_not_matter()
    {
        Assert.Equal(Build("snapkv[window=4,pool=none]"), Build(" snapkv [ window = 4 ,\tpool=none ] "));
        Assert.Equal(new SnapKV(4), Build("snapkv[,window=4,]").Scorer);
        Assert.Equal(["random[seed=1]", "full"], PolicyText.ParseList(" random[ seed=1 ],,full,").Select(policy => policy.Name));
        Assert.Equal("streaming[]", Build("streaming[]").Name);
        Assert.Equal(Catalogue.Names, PolicyText.ParseList("all").Select(policy => policy.Name));
    }

    [Theory]
    [InlineData("random[layers=pyramid:0.5]", "layers=pyramid:0.5 is not allowed; give uniform, pyramid, pyramid:β")]
    [InlineData("random[layers=pyramid:]", "β of 1 or more")]
    [InlineData("random[layers=pyramid:-2]", "β of 1 or more")]
    [InlineData("random[layers=flat]", "or global")]
    [InlineData("random[layers=global:2]", "or global")]
    [InlineData("random[heads=adaptive:1.1]", "α of 0 to 1")]
    [InlineData("random[heads=adaptive:-1]", "α of 0 to 1")]
    [InlineData("random[heads=adaptive:x]", "α of 0 to 1")]
    [InlineData("random[heads=even]", "give uniform, adaptive")]
    [InlineData("random[layers=global,heads=adaptive]", "a global budget is divided among heads by itself")]
    [InlineData("kvzip[heads=adaptive]", "kvzip's budget is global")]
    [InlineData("kvzip[layers=global,heads=uniform]", "a global budget is divided among heads by itself")]
    [InlineData("random[protect=]", "positions and ranges joined by +")]
    [InlineData("random[protect=-1]", "positions and ranges joined by +")]
    [InlineData("random[protect=4-3]", "positions and ranges joined by +")]
    [InlineData("random[protect=1-2-3]", "positions and ranges joined by +")]
    [InlineData("random[protect=1,,protect=2]", "comes twice")]
    [InlineData("random[protect=1+x]", "positions and ranges joined by +")]
    [InlineData("laq[tokens=0]", "1 or more")]
    [InlineData("laq[window=0]", "1 or more")]
    [InlineData("speckv[tokens=+3]", "1 or more")]
    [InlineData("kvzip[chunk=0]", "1 or more")]
    [InlineData("expected[horizon=0]", "1 or more")]
    [InlineData("expected[sinks=-1]", "0 or more")]
    [InlineData("snapkv[pool=max:0]", "odd K")]
    [InlineData("snapkv[pool=max:7:7]", "odd K")]
    [InlineData("snapkv[pool=mean:x]", "odd K")]
    [InlineData("snapkv]", "unknown policy \"snapkv]\"")]
    [InlineData("snapkv[sinks=1][window=2]", "brackets do not close")]
    public void Allocations_positions_and_counts_out_of_range_are_refused(string text, string part)
    {
        var error = Assert.Throws<InputException>(() => PolicyText.Parse(text));
        Assert.Contains(part, error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData(
        "h2",
        "unknown policy \"h2\"; allowed: full, random, streaming, h2o, tova, snapkv, pyramidkv, adakv, keynorm, keydiff, expected, "
    )]
    [InlineData("", "unknown policy")]
    [InlineData("SnapKV", "unknown policy")]
    [InlineData("snapkv[foo=1]", "unknown option \"foo\"; allowed: pool, group, sinks, window, protect, layers, heads.")]
    [InlineData("snapkv[seed=1]", "unknown option \"seed\"")]
    [InlineData("full[sinks=1]", "allowed: none")]
    [InlineData("snapkv[window=0]", "give a number of tokens, 1 or more")]
    [InlineData("lookahead[window=-1]", "give a number of tokens, 0 or more")]
    [InlineData("snapkv[pool=max:4]", "odd K")]
    [InlineData("snapkv[pool=max]", "odd K")]
    [InlineData("snapkv[pool=min:3]", "give none, max:K or mean:K")]
    [InlineData("snapkv[group=sum]", "give mean or max")]
    [InlineData("snapkv[sinks]", "sinks= is not allowed")]
    [InlineData("snapkv[sinks=1,sinks=2]", "comes twice")]
    [InlineData("snapkv[sinks=1", "brackets do not close")]
    [InlineData("snapkv[sinks=1]x", "brackets do not close")]
    [InlineData("random[seed=one]", "give a whole number")]
    public void A_wrong_text_says_what_is_allowed_in_one_line(string text, string part)
    {
        var error = Assert.Throws<InputException>(() => PolicyText.Parse(text));
        Assert.Contains(part, error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData("lookahead", "a trained lookahead module")]
    [InlineData("speckv[tokens=3]", "a draft model")]
    public void A_policy_without_its_parts_says_which_it_needs(string text, string part) =>
        Assert.Contains($"needs {part}", Assert.Throws<InputException>(() => Build(text)).Message);

    [Theory]
    [InlineData(" , ", "no policy is named")]
    [InlineData("random,oracle,random", "\"random\" comes twice")]
    public void A_list_holds_each_policy_once(string text, string part) =>
        Assert.Contains(part, Assert.Throws<InputException>(() => PolicyText.ParseList(text)).Message);
}
