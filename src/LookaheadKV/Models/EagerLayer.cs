using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>What all layers of a pass share.</summary>
/// <param name="Form">Of the layers.</param>
/// <param name="Cos">Cosines of the rows' angles, [1 or B, 1, T, D].</param>
/// <param name="Sin">Their sines.</param>
/// <param name="Epsilon">Of the RMS norms.</param>
/// <param name="KvHeads">G.</param>
internal readonly record struct LayerCall(LayerForm Form, Tensor Cos, Tensor Sin, double Epsilon, int KvHeads);

/// <summary><see cref="DecoderLayer"/> with gradients: both halves over rows [B,T,E], whatever they attend to in between.</summary>
internal static class EagerLayer
{
    private static readonly LayerPrograms Programs = new(
        joined: false,
        """
        def project_rows(hidden: Tensor, w: List[Tensor], pairs: List[Tensor], cos: Tensor, sin: Tensor, eps: float, g: int) -> List[Tensor]:
            q, k, v = project(hidden, w, pairs, 0, cos.transpose(1, 2), sin.transpose(1, 2), eps, g, 1)
            return [q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)]

        def finish_rows(hidden: Tensor, attended: Tensor, w: List[Tensor], pairs: List[Tensor], eps: float) -> Tensor:
            return finish(hidden, attended.transpose(1, 2).flatten(2), w, pairs, 0, eps, 1)
        """
    );

    /// <summary>Queries [B,H,T,D], keys and values [B,G,T,D] of rows [B,T,E].</summary>
    public static Tensor[] Project(LayerCall call, Tensor hidden, Tensor[] weights, Tensor[]? pairs) =>
        Programs
            .Of(call.Form, LayerWriting.Differentiable)
            .InvokeMany("project_rows", hidden, weights, pairs ?? LayerSlots.NoPairs, call.Cos, call.Sin, call.Epsilon, call.KvHeads);

    /// <summary>The rows that leave the layer, [B,T,E], from those that entered it and what attention gave them, [B,H,T,D].</summary>
    public static Tensor Finish(LayerForm form, double epsilon, Tensor hidden, Tensor attended, Tensor[] weights, Tensor[]? pairs) =>
        Programs
            .Of(form, LayerWriting.Differentiable)
            .Invoke("finish_rows", hidden, attended, weights, pairs ?? LayerSlots.NoPairs, epsilon);
}
