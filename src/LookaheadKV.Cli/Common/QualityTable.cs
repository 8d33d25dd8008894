using LookaheadKV.Evaluation;

namespace LookaheadKV.Cli.Common;

/// <summary>The table of <c>train</c>: what modules predict of held-out prompts, before their training and after it.</summary>
internal static class QualityTable
{
    public static void Show(Screen screen, int prompts, PredictionQuality before, PredictionQuality after) =>
        screen.Table(
            [
                $"{prompts} held-out prompts",
                "KL",
                "Spearman",
                .. before.Recall.Keys.Order().SelectMany(count => new[] { $"recall@{count}", $"text@{count}", $"attention@{count}" }),
            ],
            [Row("before", before), Row("after", after)]
        );

    private static string[] Row(string name, PredictionQuality q) =>
        [
            name,
            Units.Format($"{q.Divergence:0.0000}"),
            Units.Format($"{q.Spearman:0.000}"),
            .. q
                .Recall.Keys.Order()
                .SelectMany(count => new[] { Share(q.Recall[count]), Share(q.TextRecall[count]), Share(q.TextAttention[count]) }),
        ];

    private static string Share(double? share) => share is { } known ? Units.Format($"{known:0.000}") : "-";
}
