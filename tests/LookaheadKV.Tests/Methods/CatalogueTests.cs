using System.Reflection;
using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.FSharp;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using LookaheadKV.Tests.Models;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>Each method beside the table of its paper: what scores, what is smoothed, what is protected, who shares; and the laws of all descriptors.</summary>
public sealed class CatalogueTests
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
        Is(EvictionPolicy.Full, "full", null);
        Is(Oracle.Method.Policy(), "oracle", new Oracle());
        Is(RandomScore.Policy(7), "random", new RandomScore(7));
        Is(RandomScore.Policy(), "random", new RandomScore(0));
        Is(StreamingLlm.Policy(), "streaming", new StreamingLlm(), first: 4);
        Is(StreamingLlm.Policy(2), "streaming", new StreamingLlm(), first: 2);
        Is(H2O.Policy(), "h2o", new H2O(), last: 8);
        Is(H2O.Policy(3), "h2o", new H2O(), last: 3);
        Is(Tova.Method.Policy(), "tova", new Tova(), last: 1);
        Is(SnapKV.Policy(), "snapkv", new SnapKV(32), pooling: Pooling.Max(7), last: 32);
        Is(SnapKV.Policy(5), "snapkv", new SnapKV(5), pooling: Pooling.Max(7), last: 5);
        Is(
            PyramidKV.Method.Policy(),
            "pyramidkv",
            new SnapKV(32),
            pooling: Pooling.Max(7),
            last: 32,
            layers: new LayerAllocation.Pyramid(20)
        );
        Is(AdaKV.Method.Policy(), "adakv", new SnapKV(32), pooling: Pooling.Max(7), last: 32, heads: new HeadAllocation.Adaptive(0.2));
        Is(KeyNorm.Method.Policy(), "keynorm", new KeyNorm());
        Is(KeyDiff.Method.Policy(), "keydiff", new KeyDiff());
        Is(ExpectedAttention.Policy(), "expected", new ExpectedAttention(512, 4), first: 4);
        Is(ExpectedAttention.Policy(9), "expected", new ExpectedAttention(9, 4), first: 4);
        Is(KVzip.Policy(), "kvzip", KVzip.Policy().Scorer, GroupReduction.Max, layers: new LayerAllocation.Global());
        Assert.Equal(2048, Assert.IsType<KVzip>(KVzip.Policy().Scorer).Chunk);
        Assert.Equal(9, Assert.IsType<KVzip>(KVzip.Policy(9).Scorer).Chunk);
        Is(Laq.Policy(), "laq", new Laq(32, 8), pooling: Pooling.Max(7), last: 8);
        Is(Laq.Policy(3, 4), "laq", new Laq(3, 4), pooling: Pooling.Max(7), last: 4);
        Is(SpecKV.Policy(draft), "speckv", new SpecKV(draft, 32, 32), GroupReduction.Max, Pooling.Max(7), last: 32);
        Is(SpecKV.Policy(draft, 3, 4), "speckv", new SpecKV(draft, 3, 4), GroupReduction.Max, Pooling.Max(7), last: 4);
        Is(LookaheadMethod.Policy(module), "lookahead", new LookaheadScore(module));
    }

    private static readonly PolicyParts Parts = MadeParts();

    public static TheoryData<string> Names => [.. Catalogue.Names];

    [Fact]
    public void Names_are_unique_and_in_lower_case()
    {
        Assert.Equal(Catalogue.Names.Distinct(), Catalogue.Names);
        Assert.All(Catalogue.Names, name => Assert.Matches("^[a-z0-9]+$", name));
        Assert.DoesNotContain("all", Catalogue.Names); // which stands for every one of them
    }

    [Fact]
    public void Every_descriptor_is_in_the_catalogue()
    {
        var descriptors = typeof(Catalogue)
            .Assembly.GetTypes()
            .SelectMany(type => type.GetProperties(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            .Where(property => property.PropertyType == typeof(Method))
            .Select(property => ((Method)property.GetValue(null)!).Name);
        Assert.Equal(descriptors.Order(), Catalogue.Names.Order());
    }

    [Fact]
    public void Places_in_figures_are_counted_without_a_gap()
    {
        int[] places = [.. Catalogue.Methods.Select(method => method.FigurePlace).OfType<int>().Order()];
        Assert.Equal(Enumerable.Range(0, places.Length), places);
    }

    // Figures of several versions stand side by side: who has a colour of its own keeps it.
    [Fact]
    public void Figures_list_bounds_first_then_the_method_then_its_rivals()
    {
        string[] own = ["full", "oracle", "lookahead", "snapkv", "streaming", "random"];
        string[] colors = ["#000000", "#666666", "#D55E00", "#0072B2", "#009E73", "#CC79A7"];
        Assert.Equal([.. own, .. Catalogue.Names.Except(own).Order(StringComparer.Ordinal)], Theme.order(Catalogue.Names));
        var styles = Theme.styles(Catalogue.Names);
        Assert.Equal(colors, own.Select(name => styles[name].Color));
        Assert.Equal(Catalogue.Names.Order(), styles.Keys.Order());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_name_alone_and_all_defaults_written_out_are_the_methods_policy(string name)
    {
        var method = Catalogue.Find(name)!;
        var policy = method.Policy(Parts);
        Assert.Equal(policy, PolicyText.Parse(name).Build(Parts));
        var own = method
            .Parameters.Where(parameter => parameter is not SeedNumber)
            .Select(parameter => (parameter.Name, parameter.DefaultText));
        var shared = method
            .Modifiers.Where(modifier => modifier != Modifier.Heads || method.Defaults.Layers is not LayerAllocation.Global)
            .Select(modifier => (modifier.Name, modifier.Shown(method.Defaults)));
        string[] options =
        [
            .. own.Union(shared).Where(option => option.Item2.Length > 0).Select(option => $"{option.Name}={option.Item2}"),
        ];
        Assert.Equal(policy, PolicyText.Parse($"{name}[{string.Join(',', options)}]").Build(Parts) with { Name = name });
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_parameter_out_of_its_range_is_refused_by_name(string name)
    {
        var method = Catalogue.Find(name)!;
        foreach (var parameter in method.Parameters)
        {
            var beyond = parameter is TokenCount count ? $"{count.Least - 1}" : "1.5";
            foreach (var value in new[] { beyond, "x", "", "99999999999999999999" })
            {
                var error = Assert.Throws<InputException>(() => PolicyText.Parse($"{name}[{parameter.Name}={value}]"));
                Assert.Contains($"{parameter.Name}={value} is not allowed; give {parameter.Allowed}.", error.Message);
            }
        }
        foreach (var modifier in method.Modifiers)
            Assert.Contains(
                $"{modifier.Name}=? is not allowed; give ",
                Assert.Throws<InputException>(() => PolicyText.Parse($"{name}[{modifier.Name}=?]")).Message
            );
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void What_a_method_needs_is_what_its_scorer_is(string name)
    {
        var method = Catalogue.Find(name)!;
        var scorer = method.Policy(Parts).Scorer;
        Assert.Equal(method.Scorer is null, scorer is null);
        Assert.Equal(method.Needs.HasFlag(Needs.AllLayers), scorer is IWholePromptScorer);
        Assert.Equal(method.Needs.HasFlag(Needs.Budget), scorer is IWholePromptScorer { ReadsBudget: true });
        Assert.Equal(Refuses(Parts with { Module = null }), method.Needs.HasFlag(Needs.Modules));
        Assert.Equal(Refuses(Parts with { Draft = null }), method.Needs.HasFlag(Needs.Draft));
        Assert.Contains(scorer?.Name ?? name, Catalogue.Names);

        bool Refuses(PolicyParts parts) => Record.Exception(() => method.Policy(parts)) is InputException;
    }

    // Queries that are not numbers leave the scores of those that read none as they are.
    [Theory]
    [MemberData(nameof(Names))]
    public void A_method_reads_queries_only_if_it_says_so(string name)
    {
        var method = Catalogue.Find(name)!;
        if (method.Scorer is null || PolicyText.Parse($"{name}[window=2]").Build(Parts).Scorer is not IPromptScorer scorer)
            return;
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        var rows = new LayerRows(randn(1, 4, 20, 4), randn(1, 2, 20, 4), randn(1, 2, 20, 4));
        var context = new PromptContext(decoder, decoder.Ids([.. Enumerable.Repeat(1, 20)]), new(() => [1]));
        var blind = rows with { Queries = rows.Queries * float.NaN };
        Assert.Equal(method.Needs.HasFlag(Needs.Queries), scorer.Score(context, 0, blind).isnan().any().item<bool>());
        Assert.False(scorer.Score(context, 0, rows).isnan().any().item<bool>());
    }

    [Fact]
    public void Some_methods_wait_for_the_whole_prompt()
    {
        EvictionPolicy[] waiting = [KVzip.Policy(), Laq.Policy(), SnapKV.Policy() with { Layers = new LayerAllocation.Global() }];
        Assert.All(waiting, policy => Assert.True(policy.NeedsWholePrompt));
        Assert.True((KVzip.Policy() with { Layers = LayerAllocation.Uniform }).NeedsWholePrompt);
        EvictionPolicy[] others =
        [
            EvictionPolicy.Full,
            SnapKV.Policy(),
            PyramidKV.Method.Policy(),
            AdaKV.Method.Policy(),
            Oracle.Method.Policy(),
        ];
        Assert.All(others, policy => Assert.False(policy.NeedsWholePrompt));
    }

    private static PolicyParts MadeParts()
    {
        var draft = TinyDecoder.Create();
        var module = LookaheadModule.Create(TinyDecoder.Config, new() { Tokens = 4, Rank = 2 }, seed: 1);
        return new PolicyParts(() => module, () => draft, Seed: 6);
    }

    [Fact]
    public void A_budget_changes_nothing_else()
    {
        var policy = SnapKV.Policy().With(Budget.Tokens(5));
        Assert.Equal(Budget.Tokens(5), policy.Budget);
        Assert.Equal(SnapKV.Policy(), policy with { Budget = null });
    }
}
