namespace LookaheadKV.FSharp

open LookaheadKV.Budgeting
open LookaheadKV.Eviction
open LookaheadKV.Methods
open LookaheadKV.Lookahead
open LookaheadKV.Models
open LookaheadKV.Scoring

/// How much of the prompt's cache is kept.
type Keep =
    /// This many entries a layer and kv head.
    | Tokens of int
    /// This share of the prompt, above 0, at most 1.
    | Share of float
    /// This many bytes for the whole cache.
    | Bytes of int64

/// How scores are smoothed over neighbouring positions.
type Smoothing =
    /// Each position by itself.
    | NoPooling
    /// The largest score within an odd number of positions.
    | MaxPooling of int
    /// The mean score within an odd number of positions.
    | MeanPooling of int

/// Policies as pipelines: <c>Policy.lookahead modules |> Policy.budget (Tokens 128) |> Policy.pooling NoPooling</c>.
module Policy =

    /// Keeps everything.
    let full = Policies.Full

    /// The true importance of the model's own answer: the upper bound.
    let oracle = Policies.Oracle

    /// <summary>Seeded noise: the lower bound.</summary>
    let random (seed: int64) = Policies.Random seed

    /// The first four and the last tokens (StreamingLLM).
    let streaming = Policies.Streaming()

    /// SnapKV with its paper's window of 32 and max-pooling of 7.
    let snapkv = Policies.SnapKV()

    /// H2O: what collects attention from the whole prompt, and the last 8 tokens.
    let h2o = Policies.H2O()

    /// TOVA: what the last token looks at, the same for every head.
    let tova = Policies.Tova

    /// PyramidKV: SnapKV with more entries for the lower layers.
    let pyramidkv = Policies.PyramidKV()

    /// Ada-KV: SnapKV with a budget that the heads of a layer compete for.
    let adakv = Policies.AdaKV()

    /// Keys of small norm.
    let keynorm = Policies.KeyNorm

    /// Keys unlike the mean key.
    let keydiff = Policies.KeyDiff

    /// Attention that is expected of the queries of the next 512 positions, and the first 4 tokens.
    let expected = Policies.Expected()

    /// KVzip: what a replay of the context looks at; one budget for all layers and heads.
    let kvzip = Policies.KVzip()

    /// LAQ: the queries of a first answer of up to 32 tokens that is written on SnapKV's cache.
    let laq = Policies.Laq()

    /// <summary>SpecKV: a smaller model's answer of up to 32 tokens, read by the large one.</summary>
    let speckv (draft: Decoder) = Policies.SpecKV draft

    /// <summary>A method of one's own: any scorer, nothing smoothed or protected.</summary>
    let ofScorer (scorer: IScorer) =
        EvictionPolicy(Name = scorer.Name, Scorer = scorer)

    /// <summary>A policy as it is written on the command line, such as <c>"snapkv[window=16,heads=adaptive]"</c>.</summary>
    /// <param name="parts">What lookahead and speckv need beside the text.</param>
    /// <param name="text">A name with options in brackets.</param>
    /// <exception cref="T:LookaheadKV.InputException">The text is no policy.</exception>
    let parse (parts: PolicyParts) (text: string) = (PolicyText.Parse text).Build parts

    /// <summary>LookaheadKV with trained modules.</summary>
    let lookahead (modules: LookaheadModule) = Policies.Lookahead modules

    /// <summary>The same policy under another name, for tables and figures that hold it twice.</summary>
    let named (name: string) (policy: EvictionPolicy) = policy.Named name

    /// <summary>The same policy at a budget.</summary>
    /// <exception cref="T:LookaheadKV.InputException">The budget keeps nothing, or the share is above 1.</exception>
    let budget (keep: Keep) (policy: EvictionPolicy) =
        match keep with
        | Tokens count -> policy.With(Budget.Tokens count)
        | Share share -> policy.With(Budget.Ratio share)
        | Bytes count -> policy.With(Budget.Bytes count)

    /// <summary>The same policy with another smoothing.</summary>
    /// <exception cref="T:LookaheadKV.InputException">The width is not a positive odd number.</exception>
    let pooling (smoothing: Smoothing) (policy: EvictionPolicy) =
        match smoothing with
        | NoPooling -> policy.With Pooling.None
        | MaxPooling width -> policy.With(Pooling.Max width)
        | MeanPooling width -> policy.With(Pooling.Mean width)

    /// <summary>The same policy with another way to make one score of a group's query heads.</summary>
    let grouping (reduction: GroupReduction) (policy: EvictionPolicy) = policy.With reduction

    /// <summary>The same policy with positions that are kept whatever their score.</summary>
    let protect (protection: Protection) (policy: EvictionPolicy) = policy.With protection

    /// <summary>The same policy with another division of the budget among the layers.</summary>
    let layers (allocation: LayerAllocation) (policy: EvictionPolicy) = policy.With allocation

    /// <summary>The same policy with more entries for the lower layers (PyramidKV).</summary>
    let pyramid policy =
        layers (LayerAllocation.Pyramid()) policy

    /// <summary>The same policy with one pool of entries for all heads of all layers.</summary>
    let shared policy =
        layers (LayerAllocation.Global()) policy

    /// <summary>The same policy with a budget that the heads of a layer compete for (Ada-KV).</summary>
    let adaptive (policy: EvictionPolicy) = policy.With(HeadAllocation.Adaptive())
