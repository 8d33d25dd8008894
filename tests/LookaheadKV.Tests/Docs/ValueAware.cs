using LookaheadKV.Eviction;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Docs;

/// <summary>
/// A position matters as much as it is looked at and as it has to say (after Guo et al., arXiv 2406.12335).
/// <c>s[h,j] = ‖v_j‖₁ · Σ_{i ≥ N-W} A_h[i,j]</c>: SnapKV's score times the size of the value.
/// </summary>
/// <param name="Window">W, the observation window in tokens.</param>
public sealed record ValueAware(int Window = SnapKV.DefaultWindow) : IPromptScorer
{
    private static readonly TokenCount WindowParameter = new("window", SnapKV.DefaultWindow, "W, the observation window");

    /// <summary>The method under its name, with the paper's defaults.</summary>
    public static Method Method { get; } =
        new(
            new EvictionPolicy
            {
                Name = "valueaware",
                Pooling = Pooling.Max(7),
                Protection = Protection.LastTokens(SnapKV.DefaultWindow),
            }
        )
        {
            Keeps = "what the prompt's last 32 tokens attend to, the larger its value the more, and those 32",
            Paper = new(
                "Guo et al.",
                2024,
                "Attention Score is not All You Need for Token Importance Indicator in KV Cache Reduction: Value Also Matters",
                "2406.12335"
            ),
            Parameters = [WindowParameter],
            Needs = Needs.Queries,
            Scorer = given => new ValueAware(given.Of(WindowParameter)),
        };

    /// <inheritdoc/>
    public string Name => Method.Name;

    /// <inheritdoc/>
    public Tensor Score(PromptContext context, int layer, LayerRows prompt) => Score(prompt, Window);

    /// <summary>Scores [B,H,N] (float32) from queries [B,H,N,D], keys and values [B,G,N,D].</summary>
    public static Tensor Score(LayerRows prompt, int window)
    {
        using var scope = NewDisposeScope();
        var looked = SnapKV.Score(prompt.Queries, prompt.Keys, window); // [B,H,N]
        var group = prompt.Queries.size(1) / prompt.Keys.size(1);
        var size = prompt.Values.to(ScalarType.Float32).abs().sum(-1); // [B,G,N,D] → [B,G,N]
        return looked.mul(size.repeat_interleave(group, 1)).MoveToOuterDisposeScope();
    }
}
