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
    let full = EvictionPolicy.Full

    /// <summary>A policy as it is written on the command line, such as <c>"snapkv[window=16,heads=adaptive]"</c>.</summary>
    /// <param name="parts">What some methods need beside the text: modules, a draft model, a seed.</param>
    /// <param name="text">A name with options in brackets.</param>
    /// <exception cref="T:LookaheadKV.InputException">The text is no policy, or it needs a part that is not given.</exception>
    let parse (parts: PolicyParts) (text: string) = (PolicyText.Parse text).Build parts

    /// <summary>A policy that needs nothing beside its text: <c>Policy.from "snapkv[window=16]"</c>, <c>Policy.from "oracle"</c>.</summary>
    /// <param name="text">A name of <see cref="P:LookaheadKV.Methods.Catalogue.Names" />, with options in brackets.</param>
    /// <exception cref="T:LookaheadKV.InputException">The text is no policy, or it needs modules or a draft model.</exception>
    let from (text: string) = parse (PolicyParts()) text

    /// <summary>LookaheadKV with trained modules.</summary>
    let lookahead (modules: LookaheadModule) = LookaheadMethod.Policy modules

    /// <summary>SpecKV: a smaller model's answer of up to 32 tokens, read by the large one.</summary>
    let speckv (draft: Decoder) = SpecKV.Policy draft

    /// <summary>A method of one's own: any scorer, nothing smoothed or protected.</summary>
    let ofScorer (scorer: IScorer) =
        EvictionPolicy(Name = scorer.Name, Scorer = scorer)

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
