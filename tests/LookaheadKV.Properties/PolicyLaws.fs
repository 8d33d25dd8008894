/// What the F# face changes of a policy is what it says, whatever properties a policy has.
module LookaheadKV.Properties.PolicyLaws

open System.Reflection
open Xunit
open LookaheadKV.Budgeting
open LookaheadKV.Eviction
open LookaheadKV.FSharp
open LookaheadKV.Methods
open LookaheadKV.Scoring

/// A policy none of whose properties is what it is where nobody sets it.
let private unusual =
    EvictionPolicy(
        Name = "unusual",
        Scorer = KeyNorm(),
        Budget = Budget.Tokens 3,
        Group = GroupReduction.Max,
        Pooling = Pooling.Mean 5,
        Protection = Protection(1, 2),
        Layers = LayerAllocation.Pyramid 7.,
        Heads = HeadAllocation.Adaptive 0.5
    )

let private properties =
    typeof<EvictionPolicy>.GetProperties() |> Array.filter _.CanWrite

let private differing (one: EvictionPolicy) (other: EvictionPolicy) =
    [
        for property in properties do
            if not (obj.Equals(property.GetValue one, property.GetValue other)) then
                property.Name
    ]

[<Fact>]
let ``The unusual policy leaves no property as it comes`` () =
    let usual = EvictionPolicy(Name = "")
    Assert.Equal<string list>([ for property in properties -> property.Name ], differing usual unusual)

/// The functions of Policy from a policy to a policy, by name: all that stands before it, of the types below.
let private changes =
    let someValue (parameter: ParameterInfo) : obj =
        match parameter.ParameterType with
        | kind when kind = typeof<string> -> "another"
        | kind when kind = typeof<Keep> -> Keep.Tokens 9
        | kind when kind = typeof<Smoothing> -> Smoothing.MaxPooling 9
        | kind when kind = typeof<GroupReduction> -> GroupReduction.Mean
        | kind when kind = typeof<Protection> -> Protection(9, 9)
        | kind when kind = typeof<LayerAllocation> -> LayerAllocation.Uniform
        | kind -> failwith $"a policy is changed by a {kind.Name}; give this law one to try."

    let face = typeof<Keep>.Assembly.GetType "LookaheadKV.FSharp.Policy"
    let isPolicy kind = kind = typeof<EvictionPolicy>

    [
        for change in (nonNull face).GetMethods() do
            let parameters = change.GetParameters()

            if
                isPolicy change.ReturnType
                && parameters.Length > 0
                && isPolicy (Array.last parameters).ParameterType
            then
                let first = parameters |> Array.take (parameters.Length - 1) |> Array.map someValue
                change.Name, (fun (policy: EvictionPolicy) -> change.Invoke(null, [| yield! first; box policy |]) |> unbox<EvictionPolicy>)
    ]

[<Fact>]
let ``A function of the F# face changes one property of a policy and leaves all others`` () =
    let changed =
        [ for name, change in changes -> name, differing unusual (change unusual) ]

    Assert.Equal<(string * string list) list>(
        [
            "adaptive", [ "Heads" ]
            "budget", [ "Budget" ]
            "grouping", [ "Group" ]
            "layers", [ "Layers" ]
            "named", [ "Name" ]
            "pooling", [ "Pooling" ]
            "protect", [ "Protection" ]
            "pyramid", [ "Layers" ]
            "shared", [ "Layers" ]
        ],
        List.sortBy fst changed
    )
