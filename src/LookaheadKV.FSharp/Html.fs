namespace LookaheadKV.FSharp

open System.IO
open System.Reflection
open Plotly.NET

/// Pieces of pages.
module Html =

    /// <summary>Text as it may stand between tags and in quoted attributes.</summary>
    let escape (text: string) =
        text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;").Replace("\"", "&quot;").Replace("'", "&#39;")

    /// <summary>JSON as it may stand in a script element: no text in it can end the element.</summary>
    let inScript (json: string) = json.Replace("<", "\\u003c")

    /// <summary>A figure as a place and the call that draws into it; the page has plotly.js.</summary>
    /// <param name="id">The element's id, its own in the page.</param>
    /// <param name="chart">The figure.</param>
    let figure (id: string) (chart: GenericChart) =
        let json = chart |> GenericChart.toFigureJson |> inScript

        $"""<div class="figure" id="{id}"></div><script>{{const f={json};Plotly.newPlot("{id}",f.data,f.layout,{{responsive:true,displaylogo:false}})}}</script>"""

    /// plotly.js, whole, as Plotly.NET carries it.
    let plotlyJs: Lazy<string> =
        lazy
            (let assembly = typeof<GenericChart>.Assembly

             let name =
                 assembly.GetManifestResourceNames()
                 |> Array.find (fun name -> name.Contains "plotly-" && name.EndsWith ".min.js")

             match assembly.GetManifestResourceStream name with
             | null -> failwith $"Plotly.NET no longer carries {name}."
             | stream ->
                 use reader = new StreamReader(stream)
                 reader.ReadToEnd())

    /// <summary>A page that needs no other file and no network.</summary>
    /// <param name="title">Its title.</param>
    /// <param name="style">Its CSS.</param>
    /// <param name="body">What stands in it.</param>
    let page (title: string) (style: string) (body: string) =
        $"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"generator\" content=\"LookaheadKV\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        + $"<title>{escape title}</title>\n<style>{style}</style>\n<script>{plotlyJs.Value}</script>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
