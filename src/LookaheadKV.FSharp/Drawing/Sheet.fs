namespace LookaheadKV.FSharp.Drawing

open System.Text.Json

/// The whole picture: its size, its margins, and the grid in which plots stand.
type internal Sheet =
    {
        Width: float
        Height: float
        Left: float
        Right: float
        Top: float
        Bottom: float
        Rows: int
        Columns: int
        GapX: float
        GapY: float
    }

/// Where a plot stands on the sheet: its upper left corner, and its size.
type internal Area =
    {
        X: float
        Y: float
        Width: float
        Height: float
    }

module internal Sheet =

    /// Names of a heat map's rows need the room that they need.
    let private left data =
        data
        |> Seq.filter (fun trace -> FigureJson.kind trace = "heatmap")
        |> Seq.collect (FigureJson.texts "y")
        |> Seq.map (fun name -> 16. + 5.6 * float name.Length)
        |> Seq.append [ 74. ]
        |> Seq.max

    /// The sheet of a figure's traces and layout.
    let ofFigure (data: JsonElement[]) layout =
        {
            Width = 960.
            Height = FigureJson.amount 420. "height" layout
            Left = left data
            Right = 150.
            Top = 58.
            Bottom = 58.
            Rows = FigureJson.text "1" "grid.rows" layout |> int
            Columns = FigureJson.text "1" "grid.columns" layout |> int
            GapX = FigureJson.amount 0. "grid.xgap" layout
            GapY = FigureJson.amount 0. "grid.ygap" layout
        }

    /// The place of a plot, counted from 1 as axes are: row by row.
    let area number (sheet: Sheet) =
        let spanX = (sheet.Width - sheet.Left - sheet.Right) / float sheet.Columns
        let spanY = (sheet.Height - sheet.Top - sheet.Bottom) / float sheet.Rows

        // A gap stands between plots: one by itself has none.
        let without count gap span =
            if count = 1 then span else span * (1. - gap)

        {
            X = sheet.Left + spanX * float ((number - 1) % sheet.Columns)
            Y = sheet.Top + spanY * float ((number - 1) / sheet.Columns)
            Width = spanX |> without sheet.Columns sheet.GapX
            Height = spanY |> without sheet.Rows sheet.GapY
        }
