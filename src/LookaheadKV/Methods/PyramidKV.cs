using LookaheadKV.Budgeting;

namespace LookaheadKV.Methods;

/// <summary>
/// PyramidKV (Cai et al., arXiv 2406.02069): lower layers spread their attention and need more entries than upper ones. Scores are those of
/// <see cref="SnapKV"/>, the layers' parts those of <see cref="LayerAllocation.Pyramid"/>.
/// </summary>
public static class PyramidKV
{
    /// <summary>The method under its name, with the authors' defaults.</summary>
    public static Method Method { get; } =
        new(SnapKV.Method.Defaults with { Name = "pyramidkv", Layers = new LayerAllocation.Pyramid() })
        {
            Keeps = "SnapKV's scores with more entries for the lower layers",
            Paper = new(
                "Cai et al.",
                2024,
                "PyramidKV: Dynamic KV Cache Compression based on Pyramidal Information Funneling",
                "2406.02069"
            ),
            Parameters = SnapKV.Method.Parameters,
            Needs = SnapKV.Method.Needs,
            Scorer = SnapKV.Method.Scorer,
        };
}
