using LookaheadKV.Training;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Training;

/// <summary>The objectives beside their definitions in plain numbers; among the weights are zeros, as softmax leaves them where it underflows.</summary>
public sealed class LookaheadLossTests
{
    private const int Batch = 2;
    private const int Heads = 3;
    private const int Length = 5;

    [Theory]
    [InlineData(LookaheadObjective.Kl)]
    [InlineData(LookaheadObjective.ReverseKl)]
    [InlineData(LookaheadObjective.Squares)]
    public void A_layers_loss_is_the_mean_distance_over_rows_and_heads(LookaheadObjective objective)
    {
        var random = new Random(4);
        var (truth, guess) = (Rows(), Rows());
        var expected = truth.Zip(guess, (t, g) => Distance(Shares(t), Shares(g))).Average();
        using var scope = NewDisposeScope();
        var loss = LookaheadLoss.Layer(Tensor(truth), Tensor(guess), objective);
        Assert.Empty(loss.shape);
        Assert.Equal(expected, loss.item<double>(), 1e-9);

        double[][] Rows() =>
            [
                .. Enumerable
                    .Range(0, Batch * Heads)
                    .Select(_ => Enumerable.Range(0, Length).Select(j => j == 2 ? 0 : 3 * random.NextDouble()).ToArray()),
            ];

        double Distance(double[] t, double[] g) =>
            objective switch
            {
                LookaheadObjective.Kl => Divergence(t, g),
                LookaheadObjective.ReverseKl => Divergence(g, t),
                _ => t.Zip(g, (x, y) => (x - y) * (x - y)).Sum(),
            };
    }

    [Fact]
    public void What_is_predicted_nowhere_costs_much_but_not_endlessly()
    {
        using var scope = NewDisposeScope();
        var loss = LookaheadLoss
            .Layer(
                Tensor([
                    [0.5, 0.5],
                ]),
                Tensor([
                    [1, 0],
                ])
            )
            .item<double>();
        Assert.Equal(0.5 * Math.Log(0.5) + 0.5 * Math.Log(0.5 / 1e-30), loss, 1e-9);
    }

    [Fact]
    public void An_objective_that_is_none_is_refused()
    {
        using var row = Tensor([
            [1, 2],
        ]);
        Assert.Throws<ArgumentOutOfRangeException>(() => LookaheadLoss.Layer(row, row, (LookaheadObjective)7));
    }

    private static double Divergence(double[] p, double[] q) => p.Zip(q, (x, y) => x == 0 ? 0 : x * Math.Log(x / y)).Sum();

    private static double[] Shares(double[] row) => [.. row.Select(x => x / row.Sum())];

    private static Tensor Tensor(double[][] rows) =>
        tensor(rows.SelectMany(row => row).ToArray()).reshape(rows.Length >= Batch * Heads ? Batch : 1, -1, rows[0].Length);
}
