using LookaheadKV.Eviction;
using LookaheadKV.Scoring;
using Xunit;

namespace LookaheadKV.Tests.Eviction;

public class PolicyTextTests
{
    private static EvictionPolicy Build(string text, long seed = 0) =>
        PolicyText
            .Parse(text)
            .Build(
                new(() => throw new InvalidOperationException("no module"), () => throw new InvalidOperationException("no draft"), seed)
            );

    [Fact]
    public void Without_options_a_policy_is_the_named_one()
    {
        Assert.Equal(Policies.Full, Build("full"));
        Assert.Equal(Policies.Random(5), Build("random", seed: 5));
        Assert.Equal(Policies.Streaming(), Build("streaming"));
        Assert.Equal(Policies.SnapKV(), Build("snapkv"));
        Assert.Equal(Policies.Oracle, Build("oracle"));
    }

    [Fact]
    public void Options_change_what_they_name_and_nothing_else()
    {
        var snap = Policies.SnapKV();
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
            Policies.Oracle with
            {
                Name = "oracle[group=max,sinks=4,window=32]",
                Group = GroupReduction.Max,
                Protection = new Protection(4, 32),
            },
            Build("oracle[group=max,sinks=4,window=32]")
        );
        Assert.Equal(Policies.Streaming(2) with { Name = "streaming[sinks=2]" }, Build("streaming[sinks=2]"));
        Assert.Equal(new RandomScore(3), Build("random[seed=3]", seed: 9).Scorer);
    }

    [Fact]
    public void Commas_within_brackets_do_not_split_a_list()
    {
        var names = PolicyText.ParseList("full, snapkv[window=16,pool=max:7],random[seed=1] ,oracle").Select(policy => policy.Name);
        Assert.Equal(["full", "snapkv[window=16,pool=max:7]", "random[seed=1]", "oracle"], names);
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
    [InlineData(" , ", "no policy is named")]
    [InlineData("random,oracle,random", "\"random\" comes twice")]
    public void A_list_holds_each_policy_once(string text, string part) =>
        Assert.Contains(part, Assert.Throws<InputException>(() => PolicyText.ParseList(text)).Message);
}
