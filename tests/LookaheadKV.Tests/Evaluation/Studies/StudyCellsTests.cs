using LookaheadKV.Evaluation.Studies;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using LookaheadKV.Training;
using TorchSharp;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Studies;

/// <summary>A cell on a tiny model: what is measured, in which order, and that nothing but settings and seed decides it.</summary>
public sealed class StudyCellsTests : IDisposable
{
    private static readonly CellSettings Small = new()
    {
        Tokens = 2,
        Rank = 1,
        Responses = ResponseSource.Given,
        Steps = 3,
        Batch = 2,
        TrainLength = 110,
        Policies = ["full", "snapkv", "lookahead"],
        Budgets = ["40", "48"],
        Tasks = ["single", "twohop"],
        Length = 110,
        Samples = 1,
        RecallAt = [8, 4, 5000],
    };

    private readonly Decoder _decoder;
    private readonly StudyModel _model;
    private int _shipped;
    private int _drafts;

    public StudyCellsTests()
    {
        var config = TinyDecoder.Config with { MaxPositions = 200 };
        using var generator = new torch.Generator(5, torch.CPU);
        _decoder = new Decoder(config, DecoderWeights.Collect(config, Weight));
        _model = new StudyModel(_decoder, new PieceEncoder(piece => [1 + piece.Sum(letter => letter) % 12]), Shipped, Draft);

        torch.Tensor Weight(string name) => torch.randn(TinyDecoder.Shape(name), generator: generator).mul(0.4);

        LookaheadModule Shipped()
        {
            _shipped++;
            return LookaheadModule.Create(config, new LookaheadSettings { Tokens = 3, Rank = 0 }, seed: 8);
        }

        Decoder Draft()
        {
            _drafts++;
            return new Decoder(config, DecoderWeights.Collect(config, name => torch.ones(TinyDecoder.Shape(name))));
        }
    }

    public void Dispose() => _decoder.Dispose();

    [Fact]
    public void A_trained_cell_measures_its_module_then_its_policies_and_counts_as_it_goes()
    {
        var seen = new List<CellProgress>();
        var measured = StudyCells.Run(_model, Small, seed: 3, new Inline<CellProgress>(seen.Add));
        Assert.Equal(["kl", "spearman", "recall@4", "recall@8", "parameters", "loss"], measured.Take(6).Select(m => m.Metric));
        Assert.All(measured.Take(6), m => Assert.Equal(("", "", "mean"), (m.Policy, m.Budget, m.Task)));
        // n embeddings of 8; q, k, v, o, gate, up, down of rank 1 in layer 0, q and k in layer 1.
        Assert.Equal(new LookaheadSettings { Tokens = 2, Rank = 1 }.ParameterCount(_decoder.Config), measured[4].Value);
        var rows = measured.Skip(6).GroupBy(m => (m.Policy, m.Budget, m.Task)).ToDictionary(g => g.Key, g => g.Select(m => m.Metric));
        Assert.Equal(5 * 3, rows.Count); // full, and two policies at two budgets; two tasks and their mean
        Assert.All(rows, row => Assert.Equal(row.Key.Budget == "" ? ["accuracy"] : ["accuracy", "oracleOverlap", "cacheBytes"], row.Value));
        // 3 steps, then 2 prompts to predict and 2 to answer.
        Assert.Equal(Enumerable.Range(1, 7), seen.Select(p => p.Done));
        Assert.All(seen, p => Assert.Equal(7, p.Total));
        Assert.StartsWith("train, loss ", seen[0].Text);
        Assert.Equal(["predict", "predict", "answer", "answer"], seen.Skip(3).Select(p => p.Text));
        Assert.Equal((0, 0), (_shipped, _drafts));
    }

    [Fact]
    public void Settings_and_seed_decide_and_nothing_else()
    {
        var settings = Small with { Policies = ["snapkv"], Budgets = ["40"], Tasks = ["single"], LearningRate = 0.05 };
        var first = Run(settings, 3);
        Assert.Equal(first, Run(settings, 3));
        Assert.NotEqual(first, Run(settings, 4));
        CellSettings[] others =
        [
            settings with
            {
                LearningRate = 0.01,
            },
            settings with
            {
                Alpha = 900,
            },
            settings with
            {
                Trained = TrainedPart.Lora,
            },
            settings with
            {
                Objective = LookaheadObjective.Squares,
            },
            settings with
            {
                Responses = ResponseSource.Own,
            },
            settings with
            {
                Responses = ResponseSource.Own,
                Temperature = 2,
            },
            settings with
            {
                Batch = 1,
            },
            settings with
            {
                Targets = [LinearName.Query],
            },
        ];
        double[] losses = [Loss(first), .. others.Select(other => Loss(Run(other, 3)))];
        Assert.Equal(losses.Distinct(), losses);

        static double Loss(IReadOnlyList<Measurement> cell) => cell.Single(m => m.Metric == "loss").Value;
    }

    /// <summary>The loss is that of the last tenth of the steps.</summary>
    [Theory]
    [InlineData(1, 1)]
    [InlineData(10, 1)]
    [InlineData(11, 2)]
    public void The_loss_is_the_mean_over_the_last_tenth(int steps, int counted)
    {
        var seen = new List<double>();
        var settings = Small with { Steps = steps, Policies = ["full"], Tasks = ["single"] };
        var loss = StudyCells.Run(_model, settings, 1, new Inline<CellProgress>(Seen)).Single(m => m.Metric == "loss").Value;
        Assert.Equal(steps, seen.Count);
        Assert.Equal(seen.TakeLast(counted).Average(), loss, 1e-3);

        void Seen(CellProgress progress)
        {
            if (progress.Text.StartsWith("train", StringComparison.Ordinal))
                seen.Add(double.Parse(progress.Text[12..], System.Globalization.CultureInfo.InvariantCulture));
        }
    }

    [Fact]
    public void Shipped_modules_are_not_trained_and_without_modules_policies_alone_are_measured()
    {
        var seen = new List<CellProgress>();
        var shipped = Run(Small with { Modules = ModuleSource.Shipped, Policies = ["lookahead", "speckv"] }, 3, seen);
        Assert.Equal((1, 1), (_shipped, _drafts));
        Assert.DoesNotContain(shipped, m => m.Metric == "loss");
        Assert.Equal(24, shipped.Single(m => m.Metric == "parameters").Value); // 3 embeddings of 8
        Assert.Equal((1, 4, 4), (seen[0].Done, seen[0].Total, seen.Count));

        seen.Clear();
        var none = Run(Small with { Modules = ModuleSource.None, Policies = ["snapkv"] }, 3, seen);
        Assert.Equal(1, _shipped);
        Assert.Equal(["full", "snapkv"], none.Select(m => m.Policy).Distinct().Order());
        Assert.Equal((1, 2, 2), (seen[0].Done, seen[0].Total, seen.Count));
    }

    [Fact]
    public void A_cell_leaves_no_tensor_done_or_cut_short()
    {
        Use();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Use()
        {
            Run(Small with { Steps = 1 }, 3);
            using var stop = new CancellationTokenSource();
            Assert.ThrowsAny<OperationCanceledException>(() =>
                StudyCells.Run(_model, Small, 3, new Inline<CellProgress>(_ => stop.Cancel()), stop.Token)
            );
        }
    }

    private IReadOnlyList<Measurement> Run(CellSettings settings, long seed, List<CellProgress>? seen = null) =>
        StudyCells.Run(_model, settings, seed, new Inline<CellProgress>(progress => seen?.Add(progress)));
}
