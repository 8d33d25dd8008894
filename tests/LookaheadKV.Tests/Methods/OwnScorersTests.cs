using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using LookaheadKV.Tests.Docs;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>A scorer's class is a method whose options are what its constructor asks for.</summary>
public class OwnScorersTests
{
    // This assembly, loaded once more as a stranger's would be.
    private static readonly OwnScorers Own = OwnScorers.Load(typeof(ValueAware).Assembly.Location);
    private static readonly PolicyParts Parts = new(() => null!, () => null!);

    [Theory]
    [InlineData("ValueAware", 32, 0)]
    [InlineData("valueaware[window=5]", 5, 5)] // the scorer's, and kept
    [InlineData("LookaheadKV.Tests.Docs.ValueAware[window=7,sinks=2]", 7, 7)]
    public void What_stands_in_brackets_reaches_the_constructor(string text, int window, int kept)
    {
        var policy = PolicyText.Parse(text, Own).Build(Parts);
        Assert.Equal((text, kept), (policy.Name, policy.Protection.Last));
        Assert.Equal(window, policy.Scorer!.GetType().GetProperty("Window")!.GetValue(policy.Scorer));
        Assert.IsAssignableFrom<IPromptScorer>(policy.Scorer);
        Assert.NotEqual(typeof(ValueAware), policy.Scorer.GetType()); // the class of that file, not the one that this program has
    }

    [Fact]
    public void An_option_of_the_constructor_takes_the_place_of_one_that_all_have()
    {
        var policy = PolicyText.Parse("Grouped[group=3]", Own).Build(Parts);
        Assert.Equal(3, policy.Scorer!.GetType().GetProperty("Group")!.GetValue(policy.Scorer));
        Assert.Equal(GroupReduction.Mean, policy.Group);
    }

    [Fact]
    public void Types_of_options_are_the_constructors()
    {
        var scorer = new OwnScorer(typeof(Picky));
        Assert.Equal(["share", "count", "name", "isloud"], scorer.Keys);
        var made = (Picky)scorer.Create(new Dictionary<string, string> { ["share"] = "0.25", ["isloud"] = "true" });
        Assert.Equal((0.25, 3, "x", true), (made.Share, made.Count, made.Label, made.IsLoud));
        Refused("share=much is not allowed; Double share", ("share", "much"));
        Refused("(Double share, Int32 count = 3, String name = x, Boolean isloud = False)");
        Refused("Picky refuses its options: share -1 is negative", ("share", "-1"));

        void Refused(string part, params (string Key, string Value)[] options) =>
            Assert.Contains(part, Assert.Throws<InputException>(() => scorer.Create(options.ToDictionary())).Message);
    }

    [Fact]
    public void Methods_that_are_here_keep_their_names_and_unknown_ones_are_told_with_all_there_are()
    {
        Assert.Same(SnapKV.Method, PolicyText.Parse("snapkv", Own).Method);
        Assert.Contains("ValueAware", Assert.Throws<InputException>(() => PolicyText.Parse("nope", Own)).Message);
        Assert.Null(Own.Find("nope"));
    }

    public sealed record Grouped(int Group) : IPromptScorer
    {
        public string Name => "grouped";

        public Tensor Score(PromptContext context, int layer, LayerRows prompt) => throw new NotSupportedException();
    }

    public sealed class Picky(double share, int count = 3, string name = "x", bool isLoud = false) : IScorer
    {
        public double Share { get; } = share >= 0 ? share : throw new ArgumentException($"share {share} is negative");

        public int Count => count;

        public string Label => name;

        public bool IsLoud => isLoud;

        public string Name => "picky";
    }
}
