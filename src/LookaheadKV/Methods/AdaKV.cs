using LookaheadKV.Budgeting;

namespace LookaheadKV.Methods;

/// <summary>
/// Ada-KV (Feng et al., arXiv 2407.11550): heads differ in how much they need, so those of a layer compete for its entries. Scores are those of
/// <see cref="SnapKV"/>, the heads' parts those of <see cref="HeadAllocation.Adaptive"/>.
/// </summary>
public static class AdaKV
{
    /// <summary>The method under its name, with the authors' defaults.</summary>
    public static Method Method { get; } =
        new(SnapKV.Method.Defaults with { Name = "adakv", Heads = new HeadAllocation.Adaptive() })
        {
            Keeps = "SnapKV's scores with heads that compete for a layer's entries",
            Paper = new(
                "Feng et al.",
                2024,
                "Ada-KV: Optimizing KV Cache Eviction by Adaptive Budget Allocation for Efficient LLM Inference",
                "2407.11550"
            ),
            Parameters = SnapKV.Method.Parameters,
            Needs = SnapKV.Method.Needs,
            Scorer = SnapKV.Method.Scorer,
        };
}
