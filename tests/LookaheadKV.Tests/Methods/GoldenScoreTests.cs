using System.Runtime.CompilerServices;
using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Eviction;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>Scores and kept sets of every method as torch computes them from the formulas (<c>tests/golden/make_scores.py</c>).</summary>
public sealed class GoldenScoreTests
{
    private static readonly JsonSerializerOptions Snake = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>A method's pure score function, on the prompt's rows and those behind it.</summary>
    private static readonly Dictionary<string, Func<Golden, Case, LayerRows, LayerRows, Tensor>> Methods = new()
    {
        ["streaming"] = (_, _, prompt, _) => StreamingLlm.Score(prompt.Keys),
        ["h2o"] = (_, _, prompt, _) => H2O.Score(prompt.Queries, prompt.Keys),
        ["tova"] = (_, _, prompt, _) => Tova.Score(prompt.Queries, prompt.Keys),
        ["snapkv"] = (golden, _, prompt, _) => SnapKV.Score(prompt.Queries, prompt.Keys, golden.Window),
        ["keynorm"] = (_, _, prompt, _) => KeyNorm.Score(prompt.Keys),
        ["keydiff"] = (_, _, prompt, _) => KeyDiff.Score(prompt.Keys),
        ["expected"] = Expected,
        ["kvzip"] = (_, shape, prompt, behind) => KVzip.Score(prompt.Keys, behind, 0, shape.Length),
        ["laq"] = (golden, _, prompt, behind) => Laq.Score(prompt.Queries, prompt.Keys, behind, golden.Window),
        ["speckv"] = (golden, _, prompt, behind) => SpecKV.Score(prompt.Queries, prompt.Keys, behind, golden.Window),
        ["lookahead"] = (_, _, prompt, behind) => LookaheadScore.Score(prompt.Keys, behind),
        ["oracle"] = (_, _, prompt, behind) => Oracle.Score(prompt.Keys, behind),
    };

    public static TheoryData<string, string> CasesAndMethods()
    {
        var data = new TheoryData<string, string>();
        foreach (var name in new[] { "gqa", "mha", "mqa" })
        foreach (var method in Methods.Keys)
            data.Add(name, method);
        return data;
    }

    [Fact]
    public void Every_golden_method_is_compared()
    {
        foreach (var shape in Read().Cases)
            Assert.Equal(Methods.Keys.Order(), shape.Methods.Keys.Order());
    }

    [Theory]
    [MemberData(nameof(CasesAndMethods))]
    public void Scores_and_kept_sets_are_those_of_torch(string name, string method)
    {
        using var scope = NewDisposeScope();
        var golden = Read();
        var shape = golden.Cases.Single(c => c.Name == name);
        var rule = shape.Methods[method];
        using var file = SafetensorsFile.Open(InGolden("scores.safetensors"));
        Tensor Get(string tensor) => file.Read($"{name}.{tensor}");
        var (queries, keys, values) = (Get("queries"), Get("keys"), Get("values"));
        LayerRows Rows(long first, long count) =>
            new(queries.narrow(2, first, count), keys.narrow(2, first, count), values.narrow(2, first, count));

        var scores = Methods[method](golden, shape, Rows(0, shape.Length), Rows(shape.Length, shape.After));
        var expected = Get($"scores.{method}");
        Assert.Equal(ScalarType.Float32, scores.dtype);
        Assert.Equal(expected.shape, scores.shape);
        var allowed = expected.abs() * 1e-5 + expected.abs().max() * 1e-6;
        Assert.True(
            (scores - expected).abs().le(allowed).all().item<bool>(),
            $"largest difference {(scores - expected).abs().max().item<float>()}"
        );

        var reduction = rule.Group == "max" ? GroupReduction.Max : GroupReduction.Mean;
        var pooled = Pooling.Max(rule.Pool).Apply(Grouping.Reduce(scores, shape.KvHeads, reduction));
        using var kept = Selection.Top(pooled, shape.Budget, new Protection(rule.First, rule.Last));
        Assert.Equal(Integers(Get($"kept.{method}")), Integers(kept.Positions));
    }

    private static Tensor Expected(Golden golden, Case shape, LayerRows prompt, LayerRows behind)
    {
        var config = new DecoderConfig
        {
            VocabularySize = 2,
            Width = shape.Heads * shape.HeadSize,
            Layers = 1,
            QueryHeads = shape.Heads,
            KeyValueHeads = shape.KvHeads,
            HeadSize = shape.HeadSize,
            IntermediateSize = 1,
            MaxPositions = shape.Length,
            RopeTheta = shape.Theta,
        };
        using var rotary = new RotaryEmbedding(config, CPU, ScalarType.Float32);
        return ExpectedAttention.Score(prompt, rotary.Rows(0, shape.Length), rotary.Rows(shape.Length, golden.Horizon), golden.Sinks);
    }

    private static long[] Integers(Tensor tensor) => tensor.contiguous().data<long>().ToArray();

    private static Golden Read() => JsonSerializer.Deserialize<Golden>(File.ReadAllText(InGolden("scores.json")), Snake)!;

    private static string InGolden(string file, [CallerFilePath] string source = "") =>
        Path.Combine(Path.GetDirectoryName(source)!, "..", "..", "golden", file);

    private sealed record Golden(int Window, int Horizon, int Sinks, IReadOnlyList<Case> Cases);

    private sealed record Case(
        string Name,
        int Heads,
        int KvHeads,
        int Length,
        int After,
        int HeadSize,
        double Theta,
        int Budget,
        IReadOnlyDictionary<string, Rule> Methods
    );

    private sealed record Rule(string Group, int Pool, int First, int Last);
}
